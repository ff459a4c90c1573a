package volume

// Policies are the contents of a resource policies ConfigMap (velero.md B5).
type Policies struct {
	// Filter is its includeExcludePolicy, nil if there is none. The caller merges
	// it into the filters of the backup's spec, whose entries win.
	Filter *IncludeExclude
}

// IncludeExclude adds to the resource filters of a backup.
type IncludeExclude struct {
	IncludedClusterScopedResources   []string `json:"includedClusterScopedResources,omitempty"`
	ExcludedClusterScopedResources   []string `json:"excludedClusterScopedResources,omitempty"`
	IncludedNamespaceScopedResources []string `json:"includedNamespaceScopedResources,omitempty"`
	ExcludedNamespaceScopedResources []string `json:"excludedNamespaceScopedResources,omitempty"`
}
