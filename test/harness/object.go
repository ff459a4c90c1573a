package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Object reads one object: Object(t, "deployments.apps", ns, name), its type named as
// kubectl takes it. A cluster-scoped one has no namespace. nil means that there is none.
// It costs one request, where kubectl would be a process of a tenth of a second.
func (h *Harness) Object(t testing.TB, resource, namespace, name string) map[string]any {
	t.Helper()
	obj, err := h.find(t.Context(), resource, namespace, name)
	if err != nil {
		t.Fatalf("%s %s/%s: %v", resource, namespace, name, err)
	}
	return obj
}

func (h *Harness) find(ctx context.Context, resource, namespace, name string) (obj map[string]any, err error) {
	r, err := h.resource(ctx, resource)
	if err != nil {
		return nil, err
	}
	raw, err := h.Kube.Get(ctx, r, namespace, name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return obj, json.Unmarshal(raw, &obj)
}

// Create makes an object of a type from JSON.
func (h *Harness) Create(ctx context.Context, resource, namespace, manifest string) error {
	r, err := h.resource(ctx, resource)
	if err != nil {
		return err
	}
	_, err = h.Kube.Create(ctx, r, namespace, []byte(manifest), kube.CreateOptions{FieldManager: "tests"})
	return err
}

// Delete begins to delete an object; that there is none is no error.
func (h *Harness) Delete(ctx context.Context, resource, namespace, name string) error {
	r, err := h.resource(ctx, resource)
	if err != nil {
		return err
	}
	if err := h.Kube.Delete(ctx, r, namespace, name, kube.DeleteOptions{}); !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// List reads the objects of a type, of all namespaces or of one, that a label selector
// picks.
func (h *Harness) List(t testing.TB, resource, namespace, selector string) (all []map[string]any) {
	t.Helper()
	r, err := h.resource(t.Context(), resource)
	if err != nil {
		t.Fatal(err)
	}
	in := kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: r, Namespace: namespace, LabelSelector: selector}}
	_, err = h.Kube.ListAll(t.Context(), in, func(it kube.Item) error {
		var obj map[string]any
		if err := json.Unmarshal(it.Raw, &obj); err != nil {
			return err
		}
		all = append(all, obj)
		return nil
	})
	if err != nil {
		t.Fatalf("list %s: %v", resource, err)
	}
	return all
}

// Names are the names of objects.
func Names(objects []map[string]any) []string {
	var names []string
	for _, o := range objects {
		name, _ := At(o, "metadata", "name").(string)
		names = append(names, name)
	}
	return names
}

// resource resolves the name of a type. What is served is asked for again when a type is
// not known: tests define types.
func (h *Harness) resource(ctx context.Context, name string) (kube.Resource, error) {
	h.served.Lock()
	defer h.served.Unlock()
	if r, ok := h.served.types[name]; ok {
		return r, nil
	}
	cat, err := h.Kube.Discover(ctx)
	if err != nil {
		return kube.Resource{}, err
	}
	r, ok := cat.Find(name)
	if !ok {
		return kube.Resource{}, fmt.Errorf("the API server serves no %s", name)
	}
	h.served.types[name] = r
	return r, nil
}

// At follows a path into an object: At(obj, "spec", "replicas").
func At(obj any, path ...string) any {
	for _, p := range path {
		m, ok := obj.(map[string]any)
		if !ok {
			return nil
		}
		obj = m[p]
	}
	return obj
}
