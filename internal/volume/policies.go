package volume

import (
	"fmt"
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// Policies are the contents of a resource policies ConfigMap (docs/VELERO.md 6.6).
type Policies struct {
	// Filter is its includeExcludePolicy, nil if there is none.
	Filter *IncludeExclude

	volumes []policy
}

// Merge adds the includeExcludePolicy, if there is one, to a backup's filters; see
// IncludeExclude.Merge.
func (p *Policies) Merge(spec *velerov1.BackupSpec) error {
	if p == nil {
		return nil
	}
	return p.Filter.Merge(spec)
}

// AskForSnapshots says whether there is a policy with the action snapshot, which holds
// also where the spec turns snapshots off.
func (p *Policies) AskForSnapshots() bool {
	return p != nil && slices.ContainsFunc(p.volumes, func(v policy) bool { return v.Action.Type == actionSnapshot })
}

// PoliciesOf reads the policies of a ConfigMap, which has them under its one data
// key, whatever its name. The error is a filter.FieldErrors: the ConfigMap has to
// change.
func PoliciesOf(cm *corev1.ConfigMap) (*Policies, error) {
	if n := len(cm.Data) + len(cm.BinaryData); n != 1 {
		return nil, filter.FieldErrors{{
			Path:    "spec.resourcePolicy",
			Message: fmt.Sprintf("ConfigMap %s/%s has %d data keys: the policies stand alone under one key", cm.Namespace, cm.Name, n),
		}}
	}
	for _, text := range cm.Data {
		return ParsePolicies([]byte(text))
	}
	for _, data := range cm.BinaryData {
		return ParsePolicies(data)
	}
	return nil, nil
}

// IncludeExclude adds to the resource filters of a backup.
type IncludeExclude struct {
	IncludedClusterScopedResources   []string `yaml:"includedClusterScopedResources"`
	ExcludedClusterScopedResources   []string `yaml:"excludedClusterScopedResources"`
	IncludedNamespaceScopedResources []string `yaml:"includedNamespaceScopedResources"`
	ExcludedNamespaceScopedResources []string `yaml:"excludedNamespaceScopedResources"`
}

// Merge adds the entries to those of the spec, which win. The error is a
// filter.FieldErrors: the spec filters by includedResources and its like, which the
// entries do not go together with. A nil policy adds nothing.
func (p *IncludeExclude) Merge(spec *velerov1.BackupSpec) error {
	if p == nil {
		return nil
	}
	if spec.IncludeClusterResources != nil || len(spec.IncludedResources) > 0 || len(spec.ExcludedResources) > 0 {
		return filter.FieldErrors{{
			Path:    "spec.resourcePolicy",
			Message: "its includeExcludePolicy cannot be used together with includedResources, excludedResources or includeClusterResources: use the scoped filters in the spec",
		}}
	}
	merge(&spec.IncludedClusterScopedResources, &spec.ExcludedClusterScopedResources,
		p.IncludedClusterScopedResources, p.ExcludedClusterScopedResources)
	merge(&spec.IncludedNamespaceScopedResources, &spec.ExcludedNamespaceScopedResources,
		p.IncludedNamespaceScopedResources, p.ExcludedNamespaceScopedResources)
	return nil
}

// merge leaves out what the spec has an opinion on: entries of its own, and lists
// that say "everything" already.
func merge(in, ex *[]string, moreIn, moreEx []string) {
	said := slices.Concat(*in, *ex)
	all, none := slices.Contains(*in, "*"), slices.Contains(*ex, "*")
	for _, entry := range moreIn {
		if !all && !none && !slices.Contains(said, entry) {
			*in = append(slices.Clip(*in), entry)
		}
	}
	for _, entry := range moreEx {
		if !none && !slices.Contains(said, entry) {
			*ex = append(slices.Clip(*ex), entry)
		}
	}
}
