package show

import (
	"io"
	"strconv"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// RestoreView is a restore as `restore describe` shows it.
type RestoreView struct {
	Restore velerov1.Restore
	Facts
}

// Document is the view for programs.
func (v RestoreView) Document() any {
	return struct {
		velerov1.Restore
		Facts
	}{v.Restore, v.Facts}
}

// Print writes the view for people.
func (v RestoreView) Print(w io.Writer) error {
	p, r := newPage(w), v.Restore
	p.meta(r.ObjectMeta)
	p.outcome(string(r.Status.Phase), r.Status.FailureReason, r.Status.ValidationErrors, r.Status.Errors, r.Status.Warnings)
	p.value(0, "Started", when(r.Status.StartTimestamp))
	p.value(0, "Completed", when(r.Status.CompletionTimestamp))
	if progress := r.Status.Progress; progress != nil {
		p.value(0, "Total items to be restored", strconv.Itoa(progress.TotalItems))
		p.value(0, "Items restored", strconv.Itoa(progress.ItemsRestored))
	}
	p.hooks(r.Status.HookStatus)
	p.restoreSpec(r.Spec)
	p.volumes(v.Volumes.List, v.Volumes.More)
	return p.facts(v.Facts)
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
