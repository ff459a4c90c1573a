package apply

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// fill makes the objects that a claim is filled from, just before the claim: its namespace
// can be made by now. A repeat finds them by their names.
func (a *applier) fill(ctx context.Context, it *item) error {
	if it.entry.Resource != resource.PersistentVolumeClaims {
		return nil
	}
	v := a.s.Index.Claims[resource.ObjectName(it.entry.Namespace, it.entry.Name)]
	if v == nil || !v.HasData() {
		return nil
	}
	driver, err := a.r.RestorerOf(a.s.ForDrivers(), v)
	if err != nil {
		return err
	}
	objects, err := driver.ClaimObjects(v)
	if err != nil {
		return err
	}
	for _, o := range objects {
		group := schema.ParseGroupResource(o.Key.Resource)
		res := kube.Resource{Group: group.Group, Version: o.Key.Version, Name: group.Resource, Namespaced: o.Key.Namespace != ""}
		if _, err := a.createIn(ctx, res, it.entry.Namespace, o.Key.Namespace, o.Body); err != nil && !kube.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}
