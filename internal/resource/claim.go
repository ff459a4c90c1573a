package resource

import (
	"fmt"

	quantity "k8s.io/apimachinery/pkg/api/resource"

	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
	annotationBindCompleted = "pv.kubernetes.io/bind-completed"
	annotationBoundBy       = "pv.kubernetes.io/bound-by-controller"
)

// claimAnnotations tell of a binding and a node of the old cluster, or are what
// Velero notes on a claim while it backs it up.
func claimAnnotations() []string {
	return []string{
		annotationBindCompleted, annotationBoundBy,
		"volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner",
		"volume.kubernetes.io/selected-node",
		"velero.io/volume-snapshot-name", "velero.io/data-upload-name",
		"backup.velero.io/skipped-no-csi-pv",
	}
}

// labelSnapshotName is the label by which Velero finds a claim's VolumeSnapshot; an
// annotation of the same name says it too.
const labelSnapshotName = "velero.io/volume-snapshot-name"

// restoreClaim unbinds a PersistentVolumeClaim and says where its data comes from:
// from a volume that is restored, which it is bound to, from a snapshot that fills
// a new one, or from nowhere.
func restoreClaim(c *Context, obj map[string]any, out *Outcome) error {
	if c.Unused != nil && c.Unused(namespace(obj), name(obj)) {
		out.setSkip(report.OwnerRecreates, "it is of an ephemeral volume of a pod that is not restored: another pod gets its own")
	}
	dropAnnotations(obj, claimAnnotations()...)
	dropLabels(child(obj, "metadata"), labelSnapshotName)
	spec := child(obj, "spec")
	if boundClaim(obj) {
		drop(spec, "dataSource", "dataSourceRef") // it was filled long ago, of what may be gone
	}
	c.mapClass(spec, "storageClassName")
	c.mapClass(walk(obj, "metadata", "annotations"), annotationClass)
	if data, ok := c.claimData(obj); ok {
		return fillClaim(spec, data)
	}
	if pv := str(spec, "volumeName"); pv != "" && c.dispositionOf(pv, volume.Dynamic) == volume.Dynamic {
		delete(spec, "volumeName")
	}
	return nil
}

func (c *Context) claimData(obj map[string]any) (ClaimData, bool) {
	if c.Claim == nil {
		return ClaimData{}, false
	}
	return c.Claim(namespace(obj), name(obj))
}

// fillClaim binds a claim to its volume or has it filled from its snapshot.
func fillClaim(spec map[string]any, data ClaimData) error {
	if spec == nil {
		return fmt.Errorf("spec is missing: %w", ErrInvalid)
	}
	delete(spec, "volumeName")
	if data.Volume != "" {
		spec["volumeName"] = data.Volume
	}
	if data.Snapshot == "" {
		return nil
	}
	delete(spec, "dataSourceRef") // the API server fills it in from dataSource
	delete(spec, "selector")      // a claim with one is never provisioned
	spec["dataSource"] = map[string]any{"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": data.Snapshot}
	return growClaim(spec, data.Size)
}

// growClaim raises what a claim asks for to a size: a volume cannot be smaller than
// the snapshot that fills it.
func growClaim(spec map[string]any, size int64) error {
	if size <= 0 {
		return nil
	}
	least := quantity.NewQuantity(size, quantity.BinarySI)
	for _, key := range []string{"requests", "limits"} {
		amounts := walk(spec, "resources", key)
		text := str(amounts, "storage")
		if text == "" {
			continue // no request is refused by the API server, no limit is none
		}
		have, err := quantity.ParseQuantity(text)
		if err != nil {
			return fmt.Errorf("spec.resources.%s.storage: %w: %w", key, ErrInvalid, err)
		}
		if have.Cmp(*least) < 0 {
			amounts["storage"] = least.String()
		}
	}
	return nil
}

// annotationClass named a claim's or volume's storage class before there was a field
// for it; where it is set it still wins.
const annotationClass = "volume.beta.kubernetes.io/storage-class"

// mapClass rewrites a field that holds a storage class's name.
func (c *Context) mapClass(m map[string]any, key string) {
	if class := str(m, key); class != "" {
		m[key] = c.mapClassName(class)
	}
}

// backupClaim forgets where a bound claim's content once came from: restored,
// its content comes from the backup. The selector goes unless the claim asked
// for no class at all, where it is what binds it. Labels that an earlier restore
// left would be mistaken for those of this backup.
func backupClaim(obj map[string]any) bool {
	spec := child(obj, "spec")
	if !boundClaim(obj) {
		return false
	}
	changed := drop(spec, "dataSource", "dataSourceRef")
	class, stated := spec["storageClassName"].(string)
	if !stated || class != "" {
		changed = drop(spec, "selector") || changed
	}
	return dropLabels(child(obj, "metadata"), LabelBackup, LabelRestore) || changed
}

// MarkClaim says on a claim which VolumeSnapshot of which backup holds its data: by
// label and annotation, as Velero's readers want it (docs/VELERO.md 2.9).
func MarkClaim(obj map[string]any, snapshot, backup string) {
	meta := child(obj, "metadata")
	for _, key := range []string{"labels", "annotations"} {
		if child(meta, key) == nil {
			meta[key] = map[string]any{}
		}
		child(meta, key)[labelSnapshotName] = snapshot
	}
	child(meta, "labels")[LabelBackup] = LabelValue(backup)
}

func relatedToClaim(obj map[string]any) []Ref {
	if !boundClaim(obj) {
		return nil
	}
	return []Ref{{Resource: PersistentVolumes, Name: str(child(obj, "spec"), "volumeName")}}
}

func boundClaim(obj map[string]any) bool {
	return str(child(obj, "status"), "phase") == "Bound" && str(child(obj, "spec"), "volumeName") != ""
}
