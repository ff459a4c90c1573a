package resource

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource/residual"
)

// ErrInvalid is returned for a stored object that no rule can make sense of.
var ErrInvalid = errors.New("not a Kubernetes object")

// Restore turns a stored object into the one to create, in place: the rule of
// its kind first, then the generic rules that the package comment lists. It
// does no I/O. When the outcome says Skip the object is not to be used. Errors
// wrap ErrInvalid.
func (r *Registry) Restore(c *Context, resource string, obj map[string]any) (Outcome, error) {
	var out Outcome
	meta := child(obj, "metadata")
	if str(meta, "name") == "" {
		return out, fmt.Errorf("restore %s: metadata.name is missing: %w", resource, ErrInvalid)
	}
	k := r.kinds[resource]
	if k.never != "" {
		out.setSkip(report.NotRestorable, "objects of this type are not restored: "+k.never)
		return out, nil
	}
	var stored map[string]any
	if c.Modify != nil {
		stored = runtime.DeepCopyJSON(obj)
	}
	references := residual.Track(c.NamespaceMapping, c.isService(), obj)
	c.mapImages(resource, obj)
	if k.restore != nil {
		if err := k.restore(c, obj, &out); err != nil {
			return out, fmt.Errorf("restore %s %s: %w", resource, name(obj), err)
		}
		if out.Skipped() {
			return out, nil
		}
	}
	if c.judgeWork(resource, k, obj, &out); out.Skipped() {
		return out, nil
	}
	c.applyGenericRules(resource, k, stored, obj, &out)
	out.Residual = references.Paths(obj)
	return out, nil
}

// applyGenericRules does what holds for every kind.
func (c *Context) applyGenericRules(resource string, k kind, stored, obj map[string]any, out *Outcome) {
	meta := child(obj, "metadata")
	withStatus := c.takeStatus(resource, k, obj, out)
	out.Owners = c.readOwners(meta)
	c.judgePodOwner(resource, obj, out)
	c.judgeController(resource, k, obj, out)
	out.ManagedFields = fieldOwnersToRestore(meta, withStatus)
	filterFinalizers(obj, meta, out)
	stripMetadata(meta)
	meta = c.applyModifiers(resource, stored, obj, out)
	warnOfFinalizers(resource, meta, out)
	if ns := str(meta, "namespace"); ns != "" {
		meta["namespace"] = c.targetNamespace(ns)
	}
	c.addRestoreLabels(meta)
}

// stripMetadata leaves what a client may state. Everything else (uid,
// resourceVersion, generation, timestamps, selfLink, generateName,
// ownerReferences, managedFields and what later versions add) is the server's.
// generateName goes because the object keeps the name it had.
func stripMetadata(meta map[string]any) {
	for key := range meta {
		switch key {
		case "name", "namespace", "labels", "annotations", "finalizers":
		default:
			delete(meta, key)
		}
	}
}

const annotationRestoreStatus = "velero.io/restore-status"

// takeStatus removes the status and says whether it is restored: by a second
// call, or in the create where the type has no status subresource.
func (c *Context) takeStatus(resource string, k kind, obj map[string]any, out *Outcome) bool {
	status := child(obj, "status")
	if len(status) == 0 || !c.keepsStatus(resource, k, obj) {
		delete(obj, "status")
		return false
	}
	if !c.hasStatusSubresource(resource, obj) {
		return true
	}
	delete(obj, "status")
	out.Status = status
	return true
}

// keepsStatus says whether the status is restored: where it is asked for, and of a custom
// resource whose type has no status subresource. There it is data like the rest.
func (c *Context) keepsStatus(resource string, k kind, obj map[string]any) bool {
	if k.dropsStatus {
		return false
	}
	_, custom := DefinitionOf(resource)
	return c.wantsStatus(resource, obj) ||
		custom && annotation(obj, annotationRestoreStatus) != "false" && !c.hasStatusSubresource(resource, obj)
}

func (c *Context) hasStatusSubresource(resource string, obj map[string]any) bool {
	return c.StatusSubresource == nil || c.StatusSubresource(resource, path.Base(str(obj, "apiVersion")))
}

func (c *Context) wantsStatus(resource string, obj map[string]any) bool {
	switch annotation(obj, annotationRestoreStatus) {
	case "true":
		return true
	case "false":
		return false
	}
	return c.RestoreStatus != nil && c.RestoreStatus(resource)
}

// AdoptsByItself tells owners whose operator looks for what has no owner, after a restore, and
// takes what has one for another's: their objects are not linked.
func AdoptsByItself(o OwnerRef) bool {
	group, _, _ := strings.Cut(o.APIVersion, "/")
	switch o.Kind + "." + group {
	case "Cluster.postgresql.cnpg.io": // CloudNativePG, internal/controller/cluster_restore.go
		return true
	}
	return false
}

// readOwners reads ownerReferences into names. An owner that is a Namespace follows
// the namespace mapping.
func (c *Context) readOwners(meta map[string]any) []OwnerRef {
	refs := objects(meta, "ownerReferences")
	if len(refs) == 0 {
		return nil
	}
	owners := make([]OwnerRef, 0, len(refs))
	for _, ref := range refs {
		owner := OwnerRef{
			APIVersion: str(ref, "apiVersion"), Kind: str(ref, "kind"), Name: str(ref, "name"),
			Controller: boolean(ref, "controller"), BlockOwnerDeletion: boolean(ref, "blockOwnerDeletion"),
		}
		if owner.Kind == "Namespace" && owner.APIVersion == "v1" {
			owner.Name = c.targetNamespace(owner.Name)
		}
		owners = append(owners, owner)
	}
	return owners
}

// isService says whether a Service is part of this restore; nil where nothing is known.
func (c *Context) isService() residual.IsService {
	if c.Has == nil {
		return nil
	}
	return func(namespace, name string) bool { return c.Has("services", namespace, name) }
}
