package show

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// BackupView is a backup as `backup describe` shows it.
type BackupView struct {
	Backup velerov1.Backup
	Facts
	Blocks bool // show all that is known of each volume
}

// Facts are what is known of a backup or restore beside Velero's document.
type Facts struct {
	Volumes
	Details *contract.Details `json:"lifeboat,omitempty"`

	Rehearsals []contract.RehearsalSummary `json:"rehearsals,omitempty"` // of a backup
	Results    json.RawMessage             `json:"results,omitempty"`
	Resources  map[string][]string         `json:"resourceList,omitempty"` // nil unless asked for
}

// Volumes are the volumes of a backup or restore, and how many more there are.
type Volumes struct {
	List []contract.VolumeSummary `json:"volumes,omitempty"`
	More int                      `json:"moreVolumes,omitempty"`
}

// Document is the view for programs: Velero's document with what else is known
// beside its fields.
func (v BackupView) Document() any {
	return struct {
		velerov1.Backup
		Facts
	}{v.Backup, v.Facts}
}

// Print writes the view for people.
func (v BackupView) Print(w io.Writer) error {
	p, b := newPage(w), v.Backup
	p.printMetadata(b.ObjectMeta)
	p.printOutcome(string(b.Status.Phase), b.Status.FailureReason, b.Status.ValidationErrors, b.Status.Errors, b.Status.Warnings)
	p.printBackupSpec(b.Spec)
	p.printBackupStatus(b.Status)
	p.printBackupVolumes(v.Volumes.List, v.Volumes.More, b.Status, v.Blocks)
	if b.Status.HookStatus != nil {
		p.printf("\n")
		p.printHookCounts(b.Status.HookStatus)
	}
	return p.printFacts(v.Facts)
}

func (p *page) printBackupSpec(s velerov1.BackupSpec) {
	p.printHeading("Namespaces")
	p.printList(1, "Included", s.IncludedNamespaces, "*")
	p.printList(1, "Excluded", s.ExcludedNamespaces, "")
	p.printHeading("Resources")
	if len(s.IncludedClusterScopedResources)+len(s.ExcludedClusterScopedResources)+
		len(s.IncludedNamespaceScopedResources)+len(s.ExcludedNamespaceScopedResources) > 0 {
		p.printList(1, "Included cluster-scoped", s.IncludedClusterScopedResources, "")
		p.printList(1, "Excluded cluster-scoped", s.ExcludedClusterScopedResources, "")
		p.printList(1, "Included namespace-scoped", s.IncludedNamespaceScopedResources, "*")
		p.printList(1, "Excluded namespace-scoped", s.ExcludedNamespaceScopedResources, "")
	} else {
		p.printList(1, "Included", s.IncludedResources, "*")
		p.printList(1, "Excluded", s.ExcludedResources, "")
		p.printValue(1, "Cluster-scoped", tristateText(s.IncludeClusterResources, "auto"))
	}
	p.printf("\n")
	p.printValue(0, "Label selector", filter.FormatSelector(s.LabelSelector, s.OrLabelSelectors))
	p.printValue(0, "Storage Location", s.StorageLocation)
	p.printBackupVolumeSpec(s)
	p.printValue(0, "TTL", s.TTL.Duration.String())
	for _, kind := range slices.Sorted(maps.Keys(s.OrderedResources)) {
		p.printValue(0, "Ordered "+kind, s.OrderedResources[kind])
	}
	p.printHookSpecs(s.Hooks.Resources)
}

// printBackupVolumeSpec prints what was asked for of volumes, under Velero's labels.
func (p *page) printBackupVolumeSpec(s velerov1.BackupSpec) {
	if len(s.VolumeSnapshotLocations) > 0 {
		p.printList(0, "Volume Snapshot Locations", s.VolumeSnapshotLocations, "")
	}
	p.printValue(0, "Velero-Native Snapshot PVs", tristateText(s.SnapshotVolumes, "auto"))
	p.printIfSet(0, "File System Backup (Default)", tristateText(s.DefaultVolumesToFsBackup, ""))
	p.printValue(0, "Snapshot Move Data", tristateText(s.SnapshotMoveData, "auto"))
	p.printIfSet(0, "Data Mover", s.DataMover)
	if r := s.ResourcePolicy; r != nil {
		p.printValue(0, "Resource policies", r.Kind+"/"+r.Name)
	}
	for _, t := range []struct {
		label string
		d     time.Duration
	}{{"CSISnapshotTimeout", s.CSISnapshotTimeout.Duration}, {"ItemOperationTimeout", s.ItemOperationTimeout.Duration}} {
		if t.d != 0 {
			p.printValue(0, t.label, t.d.String())
		}
	}
}

// printHookSpecs prints how many hooks each entry has. Their commands are left to -o yaml.
func (p *page) printHookSpecs(all []velerov1.BackupResourceHookSpec) {
	if len(all) == 0 {
		p.printValue(0, "Hooks", "")
		return
	}
	p.printf("Hooks:\n")
	for _, h := range all {
		p.printValue(1, h.Name, fmt.Sprintf("%d pre, %d post, namespaces %s", len(h.PreHooks), len(h.PostHooks), Or(strings.Join(h.IncludedNamespaces, ", "), "*")))
	}
}

func (p *page) printBackupStatus(s velerov1.BackupStatus) {
	p.printf("\n")
	p.printValue(0, "Backup Format Version", s.FormatVersion)
	p.printValue(0, "Started", timeText(s.StartTimestamp))
	p.printValue(0, "Completed", timeText(s.CompletionTimestamp))
	p.printValue(0, "Expiration", timeText(s.Expiration))
	if s.Progress != nil {
		p.printValue(0, "Total items to be backed up", strconv.Itoa(s.Progress.TotalItems))
		p.printValue(0, "Items backed up", strconv.Itoa(s.Progress.ItemsBackedUp))
	}
}

// printHookCounts prints Velero's two counters.
func (p *page) printHookCounts(s *velerov1.HookStatus) {
	if s == nil {
		return
	}
	p.printValue(0, "HooksAttempted", strconv.Itoa(s.HooksAttempted))
	p.printValue(0, "HooksFailed", strconv.Itoa(s.HooksFailed))
}

// printDetails prints what Lifeboat knows of a backup beyond Velero's document.
func (p *page) printDetails(d *contract.Details) {
	if d == nil {
		return
	}
	p.printHeading("Lifeboat")
	p.printIfSet(1, "Cluster", d.Cluster)
	p.printIfSet(1, "UID", d.UID)
	p.printIfSet(1, "Trace", d.Trace)
	p.printIfSet(1, "Held", d.Held)
	if d.ExpiresSet != nil {
		p.printValue(1, "Expires", Time(*d.ExpiresSet)+", as it was set since")
	}
	if d.ExpiresLater != nil {
		p.printValue(1, "Expires", Time(*d.ExpiresLater)+", an hour after it was completed")
	}
	p.printValue(1, "Size", Bytes(d.Bytes))
	if d.Members > 0 {
		p.printValue(1, "Members", strconv.Itoa(d.Members))
	}
	p.printIfSet(1, "Manifest SHA-256", d.ManifestSHA)
	p.printValue(1, "Written only once", strconv.FormatBool(d.Conditional))
	p.printVerification(d.Verification)
}

// timeText is a time of a Velero document, which lacks those of events that have not happened.
func timeText(t *metav1.Time) string {
	if t == nil {
		return "<n/a>"
	}
	return Time(t.Time)
}
