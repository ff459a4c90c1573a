package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// details collects the markdown list that the Temporal UI shows for a run.
type details struct{ b strings.Builder }

func (d *details) add(label string, values ...string) {
	if text := strings.Join(values, ", "); text != "" {
		fmt.Fprintf(&d.b, "- **%s**: `%s`\n", label, text)
	}
}

func backupDetails(in contract.BackupInput) string {
	s, d := in.Spec, &details{}
	d.add("namespaces", s.IncludedNamespaces...)
	d.add("without namespaces", s.ExcludedNamespaces...)
	d.add("resources", s.IncludedResources...)
	d.add("without resources", s.ExcludedResources...)
	d.add("cluster-scoped resources", s.IncludedClusterScopedResources...)
	d.add("without cluster-scoped resources", s.ExcludedClusterScopedResources...)
	d.add("namespaced resources", s.IncludedNamespaceScopedResources...)
	d.add("without namespaced resources", s.ExcludedNamespaceScopedResources...)
	d.add("selector", manifest.FormatSelector(s.LabelSelector, s.OrLabelSelectors))
	d.add("storage location", s.StorageLocation)
	d.add("volume snapshot location", s.VolumeSnapshotLocations...)
	if s.SnapshotVolumes != nil {
		d.add("snapshots of volumes", strconv.FormatBool(*s.SnapshotVolumes))
	}
	if s.TTL.Duration > 0 {
		d.add("kept for", s.TTL.Duration.String())
	}
	return d.b.String()
}

func restoreDetails(in contract.RestoreInput) string {
	s, d := in.Spec, &details{}
	d.add("backup", s.BackupName)
	d.add("latest of schedule", s.ScheduleName)
	d.add("namespaces", s.IncludedNamespaces...)
	d.add("without namespaces", s.ExcludedNamespaces...)
	d.add("resources", s.IncludedResources...)
	d.add("without resources", s.ExcludedResources...)
	d.add("objects", firstNames(in.Names)...)
	d.add("selector", manifest.FormatSelector(s.LabelSelector, s.OrLabelSelectors))
	d.add("existing objects", string(s.ExistingResourcePolicy))
	for _, from := range slices.Sorted(maps.Keys(s.NamespaceMapping)) {
		d.add("namespace "+from+" becomes", s.NamespaceMapping[from])
	}
	for _, from := range slices.Sorted(maps.Keys(in.StorageClasses)) {
		d.add("storage class "+from+" becomes", in.StorageClasses[from])
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
