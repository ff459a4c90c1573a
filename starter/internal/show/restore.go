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
	p.printMetadata(r.ObjectMeta)
	p.printOutcome(string(r.Status.Phase), r.Status.FailureReason, r.Status.ValidationErrors, r.Status.Errors, r.Status.Warnings)
	p.printValue(0, "Started", timeText(r.Status.StartTimestamp))
	p.printValue(0, "Completed", timeText(r.Status.CompletionTimestamp))
	if progress := r.Status.Progress; progress != nil {
		p.printValue(0, "Total items to be restored", strconv.Itoa(progress.TotalItems))
		p.printValue(0, "Items restored", strconv.Itoa(progress.ItemsRestored))
	}
	p.printHookCounts(r.Status.HookStatus)
	p.printRestoreSpec(r.Spec)
	p.printRestoredVolumes(v.Volumes.List, v.Volumes.More)
	return p.printFacts(v.Facts)
}

func (p *page) printRestoreSpec(s velerov1.RestoreSpec) {
	p.printf("\n")
	p.printValue(0, "Backup", s.BackupName)
	p.printIfSet(0, "Schedule", s.ScheduleName)
	p.printHeading("Namespaces")
	p.printList(1, "Included", s.IncludedNamespaces, "*")
	p.printList(1, "Excluded", s.ExcludedNamespaces, "")
	p.printHeading("Resources")
	p.printList(1, "Included", s.IncludedResources, "*")
	p.printList(1, "Excluded", s.ExcludedResources, "")
	p.printValue(1, "Cluster-scoped", tristateText(s.IncludeClusterResources, "auto"))
	p.printf("\n")
	p.printLabels("Namespace mappings", s.NamespaceMapping)
	p.printValue(0, "Label selector", filter.FormatSelector(s.LabelSelector, s.OrLabelSelectors))
	p.printValue(0, "Restore PVs", tristateText(s.RestorePVs, "auto"))
	p.printValue(0, "Existing Resource Policy", Or(string(s.ExistingResourcePolicy), "none"))
	p.printValue(0, "Preserve Service NodePorts", tristateText(s.PreserveNodePorts, "auto"))
	if m := s.ResourceModifier; m != nil {
		p.printValue(0, "Resource modifier", m.Kind+"/"+m.Name)
	}
	if s.RestoreStatus != nil {
		p.printList(0, "Status included", s.RestoreStatus.IncludedResources, "")
		p.printList(0, "Status excluded", s.RestoreStatus.ExcludedResources, "")
	}
}
