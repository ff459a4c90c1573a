//go:build stack

package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// kubeconfigVariable names a cluster to use instead of a stack of our own.
const kubeconfigVariable = "LIFEBOAT_TEST_KUBECONFIG"

// TestMain gives all real tests one API server.
func TestMain(m *testing.M) {
	if os.Getenv(kubeconfigVariable) != "" {
		os.Exit(m.Run())
	}
	os.Exit(stack.Main(m, stack.Options{}, func(s *stack.Stack) { os.Setenv(kubeconfigVariable, s.Kubeconfig) }))
}

func realConfig(t testing.TB) *RESTConfig {
	t.Helper()
	cfg, err := Config(os.Getenv(kubeconfigVariable), "")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func realClient(t testing.TB, o Options) *Client {
	t.Helper()
	c, err := New(realConfig(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func namespaces() Resource { return Resource{Version: "v1", Name: "namespaces", Kind: "Namespace"} }

// newNamespace makes a namespace that goes with the test.
func newNamespace(t testing.TB, c *Client) string {
	t.Helper()
	name := strings.ToLower(fmt.Sprintf("kube-%s-%d", strings.NewReplacer("/", "-", "=", "-", "_", "-").Replace(t.Name()), time.Now().UnixNano()%1e9))
	body := fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, name)
	if _, err := c.Create(context.Background(), namespaces(), "", []byte(body), CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		all := call{method: "DELETE", path: configMaps().urlPath(name, "", ""), accept: acceptMetaList, class: classWrite, what: "delete the objects of the test"}
		if err := c.callUntilDone(context.Background(), all, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }); err != nil {
			t.Error(err)
		}
		if err := c.Delete(context.Background(), namespaces(), "", name, DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return name
}

func configMapBody(i, size int) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm-%06d","labels":{"part":"p%d"}},"data":{"text":%q}}`, i, i%10, strings.Repeat("x", size))
}

// inParallel runs do for 0..n-1 on so many workers and returns the first error.
func inParallel(workers, n int, do func(i int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := do(int(i)); err != nil {
					mu.Lock()
					first = errors.Join(first, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}

func TestRealCreateListCount(t *testing.T) {
	const n = 2000
	ctx, c := context.Background(), realClient(t, Options{})
	ns := newNamespace(t, c)
	err := inParallel(64, n, func(i int) error {
		_, err := c.Create(ctx, configMaps(), ns, configMapBody(i, 400), CreateOptions{FieldManager: "test"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("limiter after %d creates: %+v", n, c.Limiter().Stats())
	if count, _, err := c.Count(ctx, configMaps(), ns); err != nil || count < n || count > n+1 {
		t.Errorf("count %d, %v", count, err) // a controller may add kube-root-ca.crt
	}
	seen := map[string]int{}
	res, err := c.ListAll(ctx, ListAllRequest{ListRequest: ListRequest{Resource: configMaps(), Namespace: ns, Limit: 300}}, func(it Item) error {
		seen[it.Name]++
		var o struct{ APIVersion, Kind string }
		if err := json.Unmarshal(it.Raw, &o); err != nil || o.APIVersion != "v1" || o.Kind != "ConfigMap" || it.UID == "" || it.ResourceVersion == "" || it.Namespace != ns {
			return fmt.Errorf("item %+v: %+v %w", it, o, err)
		}
		return nil
	})
	if err != nil || res.Pages != 7 || res.Inconsistent {
		t.Fatalf("%+v, %v", res, err)
	}
	for i := range n {
		if seen[fmt.Sprintf("cm-%06d", i)] != 1 {
			t.Fatalf("cm-%06d came %d times", i, seen[fmt.Sprintf("cm-%06d", i)])
		}
	}
	part, err := c.ListAll(ctx, ListAllRequest{ListRequest: ListRequest{Resource: configMaps(), Namespace: ns, LabelSelector: "part=p3"}}, func(Item) error { return nil })
	if err != nil || part.Items != n/10 {
		t.Errorf("with a selector %+v, %v", part, err)
	}
}

func TestRealObjectLife(t *testing.T) {
	ctx, c := context.Background(), realClient(t, Options{})
	ns := newNamespace(t, c)
	cm := configMaps()
	if _, err := c.Create(ctx, cm, ns, configMapBody(1, 10), CreateOptions{}); err != nil {
		t.Fatalf("create: %v", err)
	}
	_, err := c.Create(ctx, cm, ns, configMapBody(1, 10), CreateOptions{})
	if !IsAlreadyExists(err) {
		t.Errorf("second create: %v", err)
	}
	if _, err = c.Create(ctx, cm, ns, configMapBody(2, 10), CreateOptions{DryRun: true}); err != nil {
		t.Errorf("dry run: %v", err)
	}
	if _, err = c.Get(ctx, cm, ns, "cm-000002"); !IsNotFound(err) {
		t.Errorf("after a dry run: %v", err)
	}
	out, err := c.Patch(ctx, cm, ns, "cm-000001", PatchMerge, []byte(`{"data":{"more":"1"}}`), PatchOptions{FieldManager: "x"})
	if err != nil || !bytes.Contains(out, []byte(`"more":"1"`)) {
		t.Errorf("patch: %s, %v", out, err)
	}
	if _, err = c.Patch(ctx, cm, ns, "cm-000001", PatchMerge, []byte(`{"metadata":{"resourceVersion":"1"}}`), PatchOptions{}); !IsConflict(err) {
		t.Errorf("patch of an old version: %v", err)
	}
	if _, err = c.PatchStatus(ctx, cm, ns, "cm-000001", PatchMerge, []byte(`{}`), PatchOptions{}); !IsNotFound(err) {
		t.Errorf("status of a type without: %v", err)
	}
	if _, err = c.Create(ctx, cm, ns, []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"Not Valid"}}`), CreateOptions{}); !IsInvalid(err) {
		t.Errorf("bad name: %v", err)
	}
	if err = c.Delete(ctx, cm, ns, "cm-000001", DeleteOptions{UID: "another"}); !IsConflict(err) {
		t.Errorf("delete of another uid: %v", err)
	}
	if err = c.Delete(ctx, cm, ns, "cm-000001", DeleteOptions{Propagation: "Background"}); err != nil {
		t.Error(err)
	}
	if err = c.Delete(ctx, cm, ns, "cm-000001", DeleteOptions{}); !IsNotFound(err) {
		t.Errorf("second delete: %v", err)
	}
}

func TestRealDiscoverWithBrokenAPIService(t *testing.T) {
	ctx, c := context.Background(), realClient(t, Options{})
	services := Resource{Group: "apiregistration.k8s.io", Version: "v1", Name: "apiservices", Kind: "APIService"}
	name := "v1beta1.broken.example.com"
	body := fmt.Sprintf(`{"apiVersion":"apiregistration.k8s.io/v1","kind":"APIService","metadata":{"name":%q},"spec":{"group":"broken.example.com","version":"v1beta1","groupPriorityMinimum":100,"versionPriority":100,"insecureSkipTLSVerify":true,"service":{"namespace":"default","name":"nobody"}}}`, name)
	if _, err := c.Create(ctx, services, "", []byte(body), CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(ctx, services, "", name, DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	var cat Catalog
	for range 100 { // the server takes note of the APIService a little later
		var err error
		if cat, err = c.Discover(ctx); err != nil {
			t.Fatal(err)
		}
		if len(cat.Failures) > 0 && strings.Contains(cat.Failures[0].Reason, ": ") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if len(cat.Failures) != 1 || cat.Failures[0].Group != "broken.example.com" || !strings.Contains(cat.Failures[0].Reason, "nobody") {
		t.Errorf("failures %+v", cat.Failures)
	}
	for name, want := range map[string]string{"po": "pods", "deploy": "deployments.apps", "crd": "customresourcedefinitions.apiextensions.k8s.io", "netpol": "networkpolicies.networking.k8s.io", "events": "events", "pvc": "persistentvolumeclaims"} {
		if r, ok := cat.Find(name); !ok || r.GroupResource() != want {
			t.Errorf("%s found %s", name, r.GroupResource())
		}
	}
	if cat.ServerVersion.GitVersion == "" || !slices.Contains(cat.Versions("horizontalpodautoscalers.autoscaling"), "v1") {
		t.Errorf("version %+v, autoscaling %q", cat.ServerVersion, cat.Versions("horizontalpodautoscalers.autoscaling"))
	}
}

func TestRealWaitEstablished(t *testing.T) {
	ctx, c := context.Background(), realClient(t, Options{})
	var names []string
	for i := range 20 {
		plural := fmt.Sprintf("waits%d", i)
		name := plural + ".kube.example.com"
		names = append(names, name)
		body := fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":%q},"spec":{"group":"kube.example.com","scope":"Namespaced","names":{"plural":%q,"kind":"Wait%d"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`, name, plural, i)
		if _, err := c.Create(ctx, crdResource(), "", []byte(body), CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Delete(context.Background(), crdResource(), "", name, DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	start := time.Now()
	if err := c.WaitEstablished(ctx, names); err != nil {
		t.Fatal(err)
	}
	t.Logf("20 CRDs established %v after the last create", time.Since(start))
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if err := c.WaitEstablished(short, []string{"never.example.com"}); !errors.Is(err, ErrNotEstablished) {
		t.Errorf("a CRD that is not there: %v", err)
	}
}

func TestRealNamespaces(t *testing.T) {
	c := realClient(t, Options{})
	name := newNamespace(t, c)
	all, err := c.Namespaces(context.Background())
	at := slices.IndexFunc(all, func(n Namespace) bool { return n.Name == name })
	if err != nil || at < 0 || all[at].Phase != "Active" || all[at].Labels["kubernetes.io/metadata.name"] != name {
		t.Errorf("%+v, %v", all, err)
	}
}
