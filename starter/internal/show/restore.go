package show

import (
	"encoding/json"
	"io"
	"strconv"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// RestoreView is a restore as `restore describe` shows it.
type RestoreView struct {
	Restore   velerov1.Restore
	Volumes   Volumes
	Details   *contract.Details
	Results   json.RawMessage
	Resources map[string][]string // nil unless asked for
}

// Document is the view for programs.
func (v RestoreView) Document() any {
	return struct {
		velerov1.Restore
		extras
	}{v.Restore, extras{v.Volumes, v.Details, v.Results, v.Resources}}
}

// Print writes the view for people.
func (v RestoreView) Print(w io.Writer) error {
	p, r := newPage(w), v.Restore
	p.value(0, "Name", r.Name)
	p.labels("Labels", r.Labels)
	p.labels("Annotations", r.Annotations)
	p.value(0, "Phase", string(r.Status.Phase))
	p.some(0, "Failure reason", r.Status.FailureReason)
	for _, problem := range r.Status.ValidationErrors {
		p.value(0, "Validation error", problem)
	}
	p.value(0, "Errors", strconv.Itoa(r.Status.Errors))
	p.value(0, "Warnings", strconv.Itoa(r.Status.Warnings))
	p.value(0, "Started", when(r.Status.StartTimestamp))
	p.value(0, "Completed", when(r.Status.CompletionTimestamp))
	if progress := r.Status.Progress; progress != nil {
		p.value(0, "Total items to be restored", strconv.Itoa(progress.TotalItems))
		p.value(0, "Items restored", strconv.Itoa(progress.ItemsRestored))
	}
	p.hooks(r.Status.HookStatus)
	p.restoreSpec(r.Spec)
	p.volumes(v.Volumes.List, v.Volumes.More)
	p.details(v.Details)
	p.results(v.Results)
	p.resources(v.Resources)
	return p.end()
}

func (p *page) restoreSpec(s velerov1.RestoreSpec) {
	p.printf("\n")
	p.value(0, "Backup", s.BackupName)
	p.some(0, "Schedule", s.ScheduleName)
	p.heading("Namespaces")
	p.list(1, "Included", s.IncludedNamespaces, "*")
	p.list(1, "Excluded", s.ExcludedNamespaces, "")
	p.heading("Resources")
	p.list(1, "Included", s.IncludedResources, "*")
	p.list(1, "Excluded", s.ExcludedResources, "")
	p.value(1, "Cluster-scoped", tristate(s.IncludeClusterResources, "auto"))
	p.printf("\n")
	p.labels("Namespace mappings", s.NamespaceMapping)
	p.value(0, "Label selector", filter.FormatSelector(s.LabelSelector, s.OrLabelSelectors))
	p.value(0, "Restore PVs", tristate(s.RestorePVs, "auto"))
	p.value(0, "Existing Resource Policy", Or(string(s.ExistingResourcePolicy), "none"))
	p.value(0, "Preserve Service NodePorts", tristate(s.PreserveNodePorts, "auto"))
	if m := s.ResourceModifier; m != nil {
		p.value(0, "Resource modifier", m.Kind+"/"+m.Name)
	}
	if s.RestoreStatus != nil {
		p.list(0, "Status included", s.RestoreStatus.IncludedResources, "")
		p.list(0, "Status excluded", s.RestoreStatus.ExcludedResources, "")
	}
}
