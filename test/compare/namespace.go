package compare

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Object names one object for TakePart.
type Object struct{ Resource, Namespace, Name string }

// TakePart is Take for one namespace, which it does not need to look for in lists of
// the whole cluster, and for single objects besides. A missing object is left out.
func TakePart(ctx context.Context, c *kube.Client, namespace string, more ...Object) (State, error) {
	cat, err := c.Discover(ctx)
	if err != nil {
		return nil, err
	}
	s := State{}
	for _, r := range cat.Resources {
		gr := r.GroupResource()
		if !r.Namespaced || !r.Can("list", "create", "get", "delete") || Transient(gr) {
			continue
		}
		list := kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: r, Namespace: namespace}}
		_, err := c.ListAll(ctx, list, func(it kube.Item) error { return s.add(gr, it) })
		if err != nil && !apierrors.IsNotFound(err) { // a definition that has just been deleted has no objects
			return nil, fmt.Errorf("take %s of %s: %w", gr, namespace, err)
		}
	}
	for _, o := range append(more, Object{Resource: "namespaces", Name: namespace}) {
		if err := s.get(ctx, c, cat, o); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s State) get(ctx context.Context, c *kube.Client, cat kube.Catalog, o Object) error {
	r, ok := cat.Find(o.Resource)
	if !ok {
		return nil // its definition is gone, and it with it
	}
	raw, err := c.Get(ctx, r, o.Namespace, o.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take %s %s: %w", o.Resource, o.Name, err)
	}
	return s.add(r.GroupResource(), kube.Item{Raw: raw, Namespace: o.Namespace, Name: o.Name})
}
