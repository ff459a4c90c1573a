package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// ValidateBackup checks a spec without a cluster. Every problem is listed, in
// the order of the fields; nil means valid.
func ValidateBackup(spec *velerov1.BackupSpec) []FieldError {
	var errs []FieldError
	errs = append(errs, checkLists("spec.includedNamespaces", "spec.excludedNamespaces", spec.IncludedNamespaces, spec.ExcludedNamespaces)...)
	errs = append(errs, checkNamespaces("spec.includedNamespaces", spec.IncludedNamespaces)...)
	errs = append(errs, checkNamespaces("spec.excludedNamespaces", spec.ExcludedNamespaces)...)
	errs = append(errs, checkBackupTypes(spec)...)
	errs = append(errs, checkSelectors(spec.LabelSelector, spec.OrLabelSelectors)...)
	errs = append(errs, checkOrdered(spec.OrderedResources)...)
	errs = append(errs, checkBackupTimes(spec)...)
	errs = append(errs, checkLocations(spec)...)
	errs = append(errs, checkConfigMapRef("spec.resourcePolicy", spec.ResourcePolicy)...)
	return append(errs, checkBackupHooks(spec.Hooks.Resources)...)
}

func checkBackupTypes(spec *velerov1.BackupSpec) []FieldError {
	if usesOldFilters(spec) && usesNewFilters(spec) {
		return []FieldError{{oldFilterPath(spec), "cannot be used together with the filters by scope " +
			"(includedClusterScopedResources, includedNamespaceScopedResources and their excludes): use one kind of filter"}}
	}
	errs := checkLists("spec.includedResources", "spec.excludedResources", spec.IncludedResources, spec.ExcludedResources)
	errs = append(errs, checkScoped("spec.includedClusterScopedResources", "spec.excludedClusterScopedResources",
		spec.IncludedClusterScopedResources, spec.ExcludedClusterScopedResources)...)
	errs = append(errs, checkScoped("spec.includedNamespaceScopedResources", "spec.excludedNamespaceScopedResources",
		spec.IncludedNamespaceScopedResources, spec.ExcludedNamespaceScopedResources)...)
	errs = append(errs, checkTypeNames("spec.includedResources", spec.IncludedResources)...)
	errs = append(errs, checkTypeNames("spec.excludedResources", spec.ExcludedResources)...)
	errs = append(errs, checkTypeNames("spec.includedClusterScopedResources", spec.IncludedClusterScopedResources)...)
	errs = append(errs, checkTypeNames("spec.excludedClusterScopedResources", spec.ExcludedClusterScopedResources)...)
	errs = append(errs, checkTypeNames("spec.includedNamespaceScopedResources", spec.IncludedNamespaceScopedResources)...)
	return append(errs, checkTypeNames("spec.excludedNamespaceScopedResources", spec.ExcludedNamespaceScopedResources)...)
}

// oldFilterPath names the old field in use, for the message.
func oldFilterPath(spec *velerov1.BackupSpec) string {
	switch {
	case len(spec.IncludedResources) > 0:
		return "spec.includedResources"
	case len(spec.ExcludedResources) > 0:
		return "spec.excludedResources"
	default:
		return "spec.includeClusterResources"
	}
}

func checkOrdered(ordered map[string]string) []FieldError {
	var errs []FieldError
	for _, key := range slices.Sorted(maps.Keys(ordered)) {
		path := "spec.orderedResources[" + key + "]"
		if strings.TrimSpace(key) == "" {
			errs = append(errs, FieldError{path, "has no resource type: use the plural, such as pods"})
		}
		for _, name := range splitOrdered(ordered[key]) {
			if !orderedName(name) {
				errs = append(errs, FieldError{path, fmt.Sprintf("%q is not namespace/name (or name, for a cluster-scoped type)", name)})
			}
		}
	}
	return errs
}

// orderedName says that an entry can name an object. Names of RBAC may have spaces within.
func orderedName(entry string) bool {
	first, second, namespaced := strings.Cut(entry, "/")
	return first != "" && (!namespaced || second != "") && entry == strings.TrimSpace(entry) &&
		!strings.Contains(second, "/") && !strings.ContainsAny(entry, "\t\n") && (!namespaced || !strings.Contains(first, " "))
}

func checkBackupTimes(spec *velerov1.BackupSpec) []FieldError {
	errs := checkDuration("spec.ttl", spec.TTL.Duration)
	errs = append(errs, checkDuration("spec.csiSnapshotTimeout", spec.CSISnapshotTimeout.Duration)...)
	errs = append(errs, checkDuration("spec.itemOperationTimeout", spec.ItemOperationTimeout.Duration)...)
	if spec.UploaderConfig != nil {
		errs = append(errs, checkCount("spec.uploaderConfig.parallelFilesUpload", spec.UploaderConfig.ParallelFilesUpload)...)
	}
	return errs
}

// checkLocations checks the names; whether the locations exist is known only
// to the worker's configuration.
func checkLocations(spec *velerov1.BackupSpec) []FieldError {
	errs := checkLocation("spec.storageLocation", spec.StorageLocation)
	for i, name := range spec.VolumeSnapshotLocations {
		path := elementPath("spec.volumeSnapshotLocations", i)
		if name == "" {
			errs = append(errs, FieldError{path, "is empty: name a VolumeSnapshotLocation or remove it"})
		}
		errs = append(errs, checkLocation(path, name)...)
		if slices.Index(spec.VolumeSnapshotLocations, name) < i {
			errs = append(errs, FieldError{path, name + " is named twice: remove one"})
		}
	}
	return errs
}

func checkLocation(path, name string) []FieldError {
	if name == "" {
		return nil
	}
	if bad := validation.IsDNS1123Subdomain(name); len(bad) > 0 {
		return []FieldError{{path, fmt.Sprintf("%q is not the name of a location: %s", name, strings.Join(bad, "; "))}}
	}
	return nil
}

func checkBackupHooks(hooks []velerov1.BackupResourceHookSpec) []FieldError {
	var errs []FieldError
	for i, h := range hooks {
		path := elementPath("spec.hooks.resources", i)
		errs = append(errs, checkHookScope(path, h.Name, [2][]string{h.IncludedNamespaces, h.ExcludedNamespaces}, h.LabelSelector)...)
		errs = append(errs, checkExecHooks(path+".pre", h.PreHooks)...)
		errs = append(errs, checkExecHooks(path+".post", h.PostHooks)...)
	}
	return errs
}

func checkExecHooks(path string, hooks []velerov1.BackupResourceHook) []FieldError {
	var errs []FieldError
	for i, h := range hooks {
		exec := elementPath(path, i) + ".exec"
		if h.Exec == nil {
			errs = append(errs, FieldError{exec, "is missing: a hook needs a command to run"})
			continue
		}
		if len(h.Exec.Command) == 0 {
			errs = append(errs, FieldError{exec + ".command", "is empty: give the command to run"})
		}
		errs = append(errs, checkOnError(exec+".onError", h.Exec.OnError)...)
		errs = append(errs, checkDuration(exec+".timeout", h.Exec.Timeout.Duration)...)
	}
	return errs
}
