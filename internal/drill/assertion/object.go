package assertion

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// readObject reads an object. Its value is that of the field, if one is named.
func (r *Runner) readObject(ctx context.Context, namespace string, o *definition.Object) attempt {
	served, namespace, err := r.findType(ctx, o.Resource, namespace)
	if err != nil {
		return attempt{err: err}
	}
	raw, err := r.Client.Get(ctx, served, namespace, o.Name)
	if err != nil || o.Field == "" {
		return attempt{err: err}
	}
	if o.Resource == "secrets" { // validation refuses it; a value must not get out otherwise either
		return attempt{err: errors.New("fields of Secrets are not read")}
	}
	value, err := kube.FieldText(raw, o.Field)
	return attempt{value: value, err: err}
}

// findType finds a type that the cluster serves, and where an object of it lies.
func (r *Runner) findType(ctx context.Context, resource, namespace string) (kube.Resource, string, error) {
	if r.catalog == nil {
		catalog, err := r.Client.Discover(ctx)
		if err != nil {
			return kube.Resource{}, "", err
		}
		r.catalog = &catalog
	}
	for _, served := range r.catalog.Resources {
		switch {
		case served.GroupResource() != resource:
		case served.Namespaced:
			return served, namespace, nil
		default:
			return served, "", nil
		}
	}
	return kube.Resource{}, "", fmt.Errorf("the cluster serves no type %s", resource)
}

// readCondition reads the status of a condition.
func (r *Runner) readCondition(ctx context.Context, namespace string, c *definition.Condition) attempt {
	served, namespace, err := r.findType(ctx, c.Resource, namespace)
	if err != nil {
		return attempt{err: err}
	}
	type conditions struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	o, err := kube.Read[conditions](ctx, r.Client, served, namespace, c.Name)
	if err != nil {
		return attempt{err: err}
	}
	for _, found := range o.Status.Conditions {
		if found.Type == c.Type {
			return attempt{value: cmp.Or(found.Status, "Unknown")}
		}
	}
	return attempt{err: fmt.Errorf("the object has no condition %s", c.Type)}
}
