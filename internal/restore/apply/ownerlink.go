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

// ownerLink is one try to link one object to its owners.
type ownerLink struct {
	*linker
	rec     restore.Record
	live    map[string]any // nil: gone again, or adopted and deleted
	reasons []report.Reason
}

// addOwners reads the object and writes the references that it lacks.
func (t *ownerLink) addOwners(ctx context.Context, res kube.Resource) (err error) {
	t.live, err = t.readObject(ctx, res, t.rec.Namespace, t.rec.Name)
	if t.live == nil || err != nil || !t.isRestored() {
		return err
	}
	refs, err := t.completeReferences(ctx)
	if len(refs) == 0 || err != nil {
		return err
	}
	return t.patchReferences(ctx, res, refs)
}

// isRestored says that the object is of this backup: this restore has brought it, or found
// one that carries the backup's label.
func (t *ownerLink) isRestored() bool {
	return t.rec.Action != string(report.Skipped) ||
		resource.LabelsOf(t.live)[resource.LabelBackup] == resource.LabelValue(t.run.Archive.Backup)
}

// completeReferences are the references of the object with those that it lacks; none
// where it lacks none.
func (t *ownerLink) completeReferences(ctx context.Context) ([]any, error) {
	meta, _ := t.live["metadata"].(map[string]any)
	have, _ := meta["ownerReferences"].([]any)
	var add []any
	for _, o := range t.rec.Owners {
		if hasOwner(have, o) {
			continue
		}
		ref, err := t.newReference(ctx, o)
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

// hasOwner says that the object has this owner, or that a controller adopted it, as
// the built-in ones do by selector.
func hasOwner(have []any, o resource.OwnerRef) bool {
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

// newReference is the owner reference with the owner's new uid, or nil when the owner
// is not part of this restore.
func (t *ownerLink) newReference(ctx context.Context, o resource.OwnerRef) (map[string]any, error) {
	res, ok := t.typeOfKind(o.APIVersion, o.Kind)
	ns, source := t.rec.Namespace, t.rec.Origin().Namespace
	if ok && !res.Namespaced {
		ns, source = "", ""
	}
	if !ok || !t.lookup.Has(res.GroupResource(), source, o.Name) {
		t.noteMissingOwner(o, "is not part of this restore; the reference was dropped")
		return nil, nil
	}
	owner, err := t.readObject(ctx, res, ns, o.Name)
	if err != nil {
		return nil, fmt.Errorf("read owner %s %s: %w", o.Kind, o.Name, err)
	}
	if owner == nil {
		t.noteMissingOwner(o, "was not restored; the reference was dropped")
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

// patchReferences sets the references on the object as it was read; one that has changed
// since is a conflict.
func (t *ownerLink) patchReferences(ctx context.Context, res kube.Resource, refs []any) error {
	meta, _ := t.live["metadata"].(map[string]any)
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": meta["uid"], "resourceVersion": meta["resourceVersion"], "ownerReferences": refs,
	}})
	if err != nil {
		return err
	}
	_, err = t.service.Kube.Patch(ctx, res, t.rec.Namespace, t.rec.Name, kube.PatchMerge, body, kube.PatchOptions{FieldManager: resource.FieldManager})
	if kube.IsNotFound(err) {
		return nil
	}
	return err
}

func (t *ownerLink) noteMissingOwner(o resource.OwnerRef, what string) {
	t.reasons = append(t.reasons, report.New(report.OwnerMissing, fmt.Sprintf("owner %s %s %s", o.Kind, o.Name, what)).
		At(t.rec.Resource, t.rec.Namespace, t.rec.Name).As(report.Warning))
}

// noteRefusal tells that the object is there and its owners are not. A policy that
// refuses a Secret may quote it.
func (t *ownerLink) noteRefusal(err error) {
	text := resource.Redact(t.rec.Resource, err.Error(), t.live)
	t.reasons = append(t.reasons, report.New(report.OwnerRefused, "is restored without its owners: "+text).
		At(t.rec.Resource, t.rec.Namespace, t.rec.Name))
}
