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
	Details   *contract.Details   `json:"lifeboat,omitempty"`
	Results   json.RawMessage     `json:"results,omitempty"`
	Resources map[string][]string `json:"resourceList,omitempty"` // nil unless asked for
}

// Volumes are those of a backup or restore, and how many more there are.
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
	p.meta(b.ObjectMeta)
	p.outcome(string(b.Status.Phase), b.Status.FailureReason, b.Status.ValidationErrors, b.Status.Errors, b.Status.Warnings)
	p.backupSpec(b.Spec)
	p.backupStatus(b.Status)
	p.backupVolumes(v.Volumes.List, v.Volumes.More, b.Status, v.Blocks)
	if b.Status.HookStatus != nil {
		p.printf("\n")
		p.hooks(b.Status.HookStatus)
	}
	return p.facts(v.Facts)
}

func (p *page) backupSpec(s velerov1.BackupSpec) {
	p.heading("Namespaces")
	p.list(1, "Included", s.IncludedNamespaces, "*")
	p.list(1, "Excluded", s.ExcludedNamespaces, "")
	p.heading("Resources")
	if len(s.IncludedClusterScopedResources)+len(s.ExcludedClusterScopedResources)+
		len(s.IncludedNamespaceScopedResources)+len(s.ExcludedNamespaceScopedResources) > 0 {
		p.list(1, "Included cluster-scoped", s.IncludedClusterScopedResources, "")
		p.list(1, "Excluded cluster-scoped", s.ExcludedClusterScopedResources, "")
		p.list(1, "Included namespace-scoped", s.IncludedNamespaceScopedResources, "*")
		p.list(1, "Excluded namespace-scoped", s.ExcludedNamespaceScopedResources, "")
	} else {
		p.list(1, "Included", s.IncludedResources, "*")
		p.list(1, "Excluded", s.ExcludedResources, "")
		p.value(1, "Cluster-scoped", tristate(s.IncludeClusterResources, "auto"))
	}
	p.printf("\n")
	p.value(0, "Label selector", filter.FormatSelector(s.LabelSelector, s.OrLabelSelectors))
	p.value(0, "Storage Location", s.StorageLocation)
	p.backupVolumeSpec(s)
	p.value(0, "TTL", s.TTL.Duration.String())
	for _, kind := range slices.Sorted(maps.Keys(s.OrderedResources)) {
		p.value(0, "Ordered "+kind, s.OrderedResources[kind])
	}
	p.hookSpecs(s.Hooks.Resources)
}

// backupVolumeSpec is what was asked for of volumes, under Velero's names.
func (p *page) backupVolumeSpec(s velerov1.BackupSpec) {
	if len(s.VolumeSnapshotLocations) > 0 {
		p.list(0, "Volume Snapshot Locations", s.VolumeSnapshotLocations, "")
	}
	p.value(0, "Velero-Native Snapshot PVs", tristate(s.SnapshotVolumes, "auto"))
	p.some(0, "File System Backup (Default)", tristate(s.DefaultVolumesToFsBackup, ""))
	p.value(0, "Snapshot Move Data", tristate(s.SnapshotMoveData, "auto"))
	p.some(0, "Data Mover", s.DataMover)
	if r := s.ResourcePolicy; r != nil {
		p.value(0, "Resource policies", r.Kind+"/"+r.Name)
	}
	for _, t := range []struct {
		label string
		d     time.Duration
	}{{"CSISnapshotTimeout", s.CSISnapshotTimeout.Duration}, {"ItemOperationTimeout", s.ItemOperationTimeout.Duration}} {
		if t.d != 0 {
			p.value(0, t.label, t.d.String())
		}
	}
}

// hookSpecs counts the hooks of each entry; what they run, -o yaml shows.
func (p *page) hookSpecs(all []velerov1.BackupResourceHookSpec) {
	if len(all) == 0 {
		p.value(0, "Hooks", "")
		return
	}
	p.printf("Hooks:\n")
	for _, h := range all {
		p.value(1, h.Name, fmt.Sprintf("%d pre, %d post, namespaces %s", len(h.PreHooks), len(h.PostHooks), Or(strings.Join(h.IncludedNamespaces, ", "), "*")))
	}
}

func (p *page) backupStatus(s velerov1.BackupStatus) {
	p.printf("\n")
	p.value(0, "Backup Format Version", s.FormatVersion)
	p.value(0, "Started", when(s.StartTimestamp))
	p.value(0, "Completed", when(s.CompletionTimestamp))
	p.value(0, "Expiration", when(s.Expiration))
	if s.Progress != nil {
		p.value(0, "Total items to be backed up", strconv.Itoa(s.Progress.TotalItems))
		p.value(0, "Items backed up", strconv.Itoa(s.Progress.ItemsBackedUp))
	}
}

// hooks prints Velero's two counters.
func (p *page) hooks(s *velerov1.HookStatus) {
	if s == nil {
		return
	}
	p.value(0, "HooksAttempted", strconv.Itoa(s.HooksAttempted))
	p.value(0, "HooksFailed", strconv.Itoa(s.HooksFailed))
}

func (p *page) details(d *contract.Details) {
	if d == nil {
		return
	}
	p.heading("Lifeboat")
	p.some(1, "Cluster", d.Cluster)
	p.some(1, "UID", d.UID)
	p.value(1, "Size", Bytes(d.Bytes))
	if d.Members > 0 {
		p.value(1, "Members", strconv.Itoa(d.Members))
	}
	p.some(1, "Manifest SHA-256", d.ManifestSHA)
	p.value(1, "Written only once", strconv.FormatBool(d.Conditional))
}

func when(t *metav1.Time) string {
	if t == nil {
		return "<n/a>"
	}
	return Time(t.Time)
}
