package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// linking is one try to link one object.
type linking struct {
	l       *linker
	rec     restore.Record
	live    map[string]any // nil: gone again, or adopted and deleted
	reasons []report.Reason
}

func (t *linking) run(ctx context.Context, res kube.Resource) (err error) {
	t.live, err = t.l.get(ctx, res, t.rec.Namespace, t.rec.Name)
	if t.live == nil || err != nil {
		return err
	}
	refs, err := t.references(ctx)
	if len(refs) == 0 || err != nil {
		return err
	}
	return t.write(ctx, res, refs)
}

// refused tells that the object is there and its owners are not. A policy that refuses
// a Secret may quote it.
func (t *linking) refused(err error) {
	text := resource.Redact(t.rec.Resource, err.Error(), t.live)
	t.reasons = append(t.reasons, report.New(report.OwnerRefused, "is restored without its owners: "+text).
		At(t.rec.Resource, t.rec.Namespace, t.rec.Name))
}

// references are the links that the object lacks.
func (t *linking) references(ctx context.Context) ([]any, error) {
	meta, _ := t.live["metadata"].(map[string]any)
	have, _ := meta["ownerReferences"].([]any)
	var add []any
	for _, o := range t.rec.Owners {
		if linked(have, o) {
			continue
		}
		ref, err := t.reference(ctx, o)
		if err != nil {
			return nil, err
		}
		if ref != nil {
			add = append(add, ref)
		}
	}
	if len(add) == 0 {
		return nil, nil
	}
	return append(have, add...), nil
}

// linked says that the object has this owner, or that a controller adopted it, as
// the built-in ones do by selector.
func linked(have []any, o resource.OwnerRef) bool {
	for _, h := range have {
		ref, _ := h.(map[string]any)
		if o.Controller && ref["controller"] == true {
			return true
		}
		if ref["kind"] == o.Kind && ref["name"] == o.Name && ref["apiVersion"] == o.APIVersion {
			return true
		}
	}
	return false
}

// reference is the owner reference with the owner's new uid, or nil when the owner
// is not part of this restore.
func (t *linking) reference(ctx context.Context, o resource.OwnerRef) (map[string]any, error) {
	res, ok := t.l.resource(o.APIVersion, o.Kind)
	ns := t.rec.Namespace
	source := ns
	if from, mapped := t.l.sources[source]; mapped {
		source = from
	}
	if ok && !res.Namespaced {
		ns, source = "", ""
	}
	if !ok || !t.l.a.look.Has(res.GroupResource(), source, o.Name) {
		t.missing(o, "is not part of this restore; the reference was dropped")
		return nil, nil
	}
	owner, err := t.l.get(ctx, res, ns, o.Name)
	if err != nil {
		return nil, fmt.Errorf("read owner %s %s: %w", o.Kind, o.Name, err)
	}
	if owner == nil {
		t.missing(o, "was not restored; the reference was dropped")
		return nil, nil
	}
	meta, _ := owner["metadata"].(map[string]any)
	ref := map[string]any{"apiVersion": o.APIVersion, "kind": o.Kind, "name": o.Name, "uid": meta["uid"]}
	if o.Controller {
		ref["controller"] = true
	}
	if o.BlockOwnerDeletion {
		ref["blockOwnerDeletion"] = true
	}
	return ref, nil
}

func (t *linking) missing(o resource.OwnerRef, what string) {
	t.reasons = append(t.reasons, report.New(report.OwnerMissing, fmt.Sprintf("owner %s %s %s", o.Kind, o.Name, what)).
		At(t.rec.Resource, t.rec.Namespace, t.rec.Name).As(report.Warning))
}

// write sets the references on the object as it was read; one that has changed since
// is a conflict.
func (t *linking) write(ctx context.Context, res kube.Resource, refs []any) error {
	meta, _ := t.live["metadata"].(map[string]any)
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": meta["uid"], "resourceVersion": meta["resourceVersion"], "ownerReferences": refs,
	}})
	if err != nil {
		return err
	}
	_, err = t.l.a.r.Kube.Patch(ctx, res, t.rec.Namespace, t.rec.Name, kube.PatchMerge, body, kube.PatchOptions{FieldManager: resource.FieldManager})
	if kube.IsNotFound(err) {
		return nil
	}
	return err
}
