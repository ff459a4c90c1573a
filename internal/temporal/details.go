package temporal

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// details collects the markdown list that the Temporal UI shows for a run.
type details struct{ b strings.Builder }

func (d *details) addLine(label string, values ...string) {
	if text := strings.Join(values, ", "); text != "" {
		fmt.Fprintf(&d.b, "- **%s**: `%s`\n", label, text)
	}
}

func backupDetails(in contract.BackupInput) string {
	s, d := in.Spec, &details{}
	d.addLine("namespaces", s.IncludedNamespaces...)
	d.addLine("without namespaces", s.ExcludedNamespaces...)
	d.addLine("resources", s.IncludedResources...)
	d.addLine("without resources", s.ExcludedResources...)
	d.addLine("cluster-scoped resources", s.IncludedClusterScopedResources...)
	d.addLine("without cluster-scoped resources", s.ExcludedClusterScopedResources...)
	d.addLine("namespaced resources", s.IncludedNamespaceScopedResources...)
	d.addLine("without namespaced resources", s.ExcludedNamespaceScopedResources...)
	d.addLine("selector", filter.FormatSelector(s.LabelSelector, s.OrLabelSelectors))
	d.addLine("storage location", s.StorageLocation)
	d.addLine("volume snapshot location", s.VolumeSnapshotLocations...)
	if s.SnapshotVolumes != nil {
		d.addLine("snapshots of volumes", strconv.FormatBool(*s.SnapshotVolumes))
	}
	if s.TTL.Duration > 0 {
		d.addLine("kept for", s.TTL.Duration.String())
	}
	return d.b.String()
}

func restoreDetails(in contract.RestoreInput) string {
	s, d := in.Spec, &details{}
	d.addLine("backup", s.BackupName)
	d.addLine("latest of schedule", s.ScheduleName)
	d.addLine("namespaces", s.IncludedNamespaces...)
	d.addLine("without namespaces", s.ExcludedNamespaces...)
	d.addLine("resources", s.IncludedResources...)
	d.addLine("without resources", s.ExcludedResources...)
	d.addLine("objects", firstNames(in.Names)...)
	d.addLine("selector", filter.FormatSelector(s.LabelSelector, s.OrLabelSelectors))
	d.addLine("existing objects", string(s.ExistingResourcePolicy))
	for _, from := range slices.Sorted(maps.Keys(s.NamespaceMapping)) {
		d.addLine("namespace "+from+" becomes", s.NamespaceMapping[from])
	}
	for _, from := range slices.Sorted(maps.Keys(in.StorageClasses)) {
		d.addLine("storage class "+from+" becomes", in.StorageClasses[from])
	}
	return d.b.String()
}

// firstNames keeps the UI's text short.
func firstNames(names []string) []string {
	const most = 10
	if len(names) <= most {
		return names
	}
	return append(append([]string{}, names[:most]...), fmt.Sprintf("and %d more", len(names)-most))
}
