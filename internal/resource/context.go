package resource

import (
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Disk is the disk that was made for a PersistentVolume.
type Disk struct {
	// ID is the provider's name of it (vol-…), Zone where it lies.
	ID, Zone string
	// Name is the name of the PersistentVolume where another one has taken its
	// own; empty means that it keeps it.
	Name string
}

// ClaimData says where the data of a claim comes from.
type ClaimData struct {
	// Volume is the PersistentVolume that the claim is bound to; empty leaves the
	// volume to the storage class.
	Volume string
	// Snapshot is the VolumeSnapshot, beside the restored claim, that fills the new
	// volume; empty for an empty volume.
	Snapshot string
	// Size is the least the claim has to ask for, in bytes; 0 is as it asked.
	Size int64
}

// Context is what a rule may know about the restore. It is plain data and
// questions that were answered beforehand: no rule does I/O. The zero value is
// a restore without mappings; every function may be nil.
type Context struct {
	// Backup and Restore are names; they become labels of restored objects.
	Backup, Restore string
	// RestoreUID identifies the restore.
	RestoreUID string
	// NamespaceMapping is source namespace → target namespace.
	NamespaceMapping map[string]string
	// PreserveNodePorts keeps every node port, also those the cluster chose.
	PreserveNodePorts bool
	// RestoreStatus says whether the status of a resource ("plural.group") is
	// asked for. The object's annotation velero.io/restore-status wins. nil: no.
	RestoreStatus func(resource string) bool
	// StatusSubresource says whether the target serves "<resource>/status" in a
	// version ("v1"). Where it does not, a status asked for travels in the create.
	// nil: it does.
	StatusSubresource func(resource, version string) bool
	// SkipVolumes is restorePVs: false: snapshots are not restored. (Inverted,
	// so that the zero value is Velero's default.)
	SkipVolumes bool
	// VolumeDisposition says what becomes of a PersistentVolume by its name, and so of the
	// claim bound to it. The planner decides it, the rules only carry it out: one that is
	// Dynamic is not restored, and its claim gets a new volume from its storage class; one
	// that a method provisions is restored pointing at the disk that was made for it. nil:
	// a volume whose reclaim policy is Delete is Dynamic, others are kept.
	VolumeDisposition func(pv string) volume.Disposition
	// Disk is the disk that was made for a volume. nil: there is none.
	Disk func(volume string) Disk
	// Claim says where a claim's data comes from, by its source namespace; false
	// where the disposition of its volume says all. nil: always false.
	Claim func(namespace, name string) (ClaimData, bool)
	// Class maps the name of a storage class to the one to use in its place.
	// nil: itself.
	Class func(class string) string
	// Images are applied to the containers of Pods and of what makes them; the first
	// that fits an image counts.
	Images []ImageMapping
	// Modify makes what the restore's resource modifiers want of an object that the
	// rules are done with, still in its source namespace. Stored is the object as it is in
	// the backup. nil: there are none.
	Modify func(resource string, stored, obj map[string]any) Modified
	// Taken says that a VolumeSnapshot, by its source namespace, is one the backup
	// took of a claim. Its claim brings what it needs of it. nil: none is.
	Taken func(namespace, name string) bool
	// Hooks are the restore's; the init containers among them are put into pods.
	Hooks velerov1.RestoreHooks
	// Has says whether an object is part of this restore, by its source
	// namespace. nil: nothing is known to be.
	Has func(resource, namespace, name string) bool
	// ServiceSelects says whether a Service of this restore has a selector, so
	// that the cluster makes its Endpoints. nil: not known.
	ServiceSelects func(namespace, name string) bool
}

// OwnerRef names an owner by what survives a restore: never by uid.
type OwnerRef struct {
	APIVersion         string `json:"apiVersion"`
	Kind               string `json:"kind"`
	Name               string `json:"name"`
	Controller         bool   `json:"controller,omitempty"`
	BlockOwnerDeletion bool   `json:"blockOwnerDeletion,omitempty"`
}

// Note is something a person should read about one object.
type Note struct {
	Code report.Code `json:"code"`
	Text string      `json:"text"`
}

// Outcome is what Restore made of an object, beside the object itself.
type Outcome struct {
	// Skip is set when the object is not to be restored; the object may be
	// half-changed then and must not be used.
	Skip Note `json:"skip,omitzero"`
	// Owners are to be re-linked by name once all levels are applied, where the
	// owner was restored too.
	Owners []OwnerRef `json:"owners,omitempty"`
	// ManagedFields is to be given back by a second call, because a create drops
	// the entries of server-side appliers. nil for the common object.
	ManagedFields []any `json:"managedFields,omitempty"`
	// Status is for a call to the status subresource, or nil.
	Status map[string]any `json:"status,omitempty"`
	// Residual are the JSON paths that still name a mapped namespace.
	Residual []string `json:"residual,omitempty"`
	// Dropped are the finalizers left out because their controller adds them
	// again; the built-in ones are not listed.
	Dropped []string `json:"droppedFinalizers,omitempty"`
	// Modifiers are the positions of the rules of resource modifiers that met the object.
	Modifiers []int `json:"modifiers,omitempty"`
	// InitHooks is how many init containers a pod got in front of its own.
	InitHooks int `json:"initHooks,omitempty"`
	// Warnings are for the restore's results.
	Warnings []Note `json:"warnings,omitempty"`
	// Errors are for them too: what was asked for and did not come about.
	Errors []Note `json:"errors,omitempty"`
}

// Skipped says whether the object is not to be restored.
func (o Outcome) Skipped() bool { return o.Skip.Code != "" }

func (o *Outcome) setSkip(code report.Code, text string) { o.Skip = Note{Code: code, Text: text} }

func (o *Outcome) addWarning(code report.Code, text string) {
	o.Warnings = append(o.Warnings, Note{Code: code, Text: text})
}

// targetNamespace is the namespace that a source namespace is restored into.
func (c *Context) targetNamespace(namespace string) string {
	if to, ok := c.NamespaceMapping[namespace]; ok && to != "" {
		return to
	}
	return namespace
}

func (c *Context) isRestored(resource, namespace, name string) bool {
	return c.Has != nil && c.Has(resource, namespace, name)
}

// mapClassName is the storage class to use in place of one.
func (c *Context) mapClassName(name string) string {
	if c.Class == nil || name == "" {
		return name
	}
	return c.Class(name)
}

func (c *Context) isTakenSnapshot(namespace, name string) bool {
	return c.Taken != nil && c.Taken(namespace, name)
}

func (c *Context) dispositionOf(pv string, otherwise volume.Disposition) volume.Disposition {
	if c.VolumeDisposition == nil {
		return otherwise
	}
	return c.VolumeDisposition(pv)
}
