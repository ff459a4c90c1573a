package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/json" // names of fields as exact as the API server takes them

	"github.com/lifeboat-backup/lifeboat/internal/glob"
)

// ValidateRestore checks a spec, and the names of a restore of single objects,
// without a cluster or an archive. Every problem is listed, in the order of
// the fields; nil means valid.
func ValidateRestore(spec *velerov1.RestoreSpec, names []string) []FieldError {
	errs := checkSource(spec)
	errs = append(errs, checkLists("spec.includedNamespaces", "spec.excludedNamespaces", spec.IncludedNamespaces, spec.ExcludedNamespaces)...)
	errs = append(errs, checkNamespaces("spec.includedNamespaces", spec.IncludedNamespaces)...)
	errs = append(errs, checkNamespaces("spec.excludedNamespaces", spec.ExcludedNamespaces)...)
	errs = append(errs, checkRestoreTypes(spec)...)
	errs = append(errs, checkMapping(spec.NamespaceMapping)...)
	errs = append(errs, checkSelectors(spec.LabelSelector, spec.OrLabelSelectors)...)
	errs = append(errs, checkPolicy(spec.ExistingResourcePolicy)...)
	errs = append(errs, checkDuration("spec.itemOperationTimeout", spec.ItemOperationTimeout.Duration)...)
	if spec.UploaderConfig != nil {
		errs = append(errs, checkCount("spec.uploaderConfig.parallelFilesDownload", spec.UploaderConfig.ParallelFilesDownload)...)
	}
	errs = append(errs, checkConfigMapRef("spec.resourceModifier", spec.ResourceModifier)...)
	if spec.ResourcePolicy != nil {
		errs = append(errs, FieldError{"spec.resourcePolicy", "is not supported in a restore: volume policies take effect when a backup is made, and what is restored is chosen by the filters of the spec; remove it"})
	}
	errs = append(errs, checkRestoreHooks(spec.Hooks.Resources)...)
	return append(errs, checkNames(names)...)
}

func checkSource(spec *velerov1.RestoreSpec) []FieldError {
	switch {
	case spec.BackupName == "" && spec.ScheduleName == "":
		return []FieldError{{"spec.backupName", "is empty: name a backup, or a schedule in spec.scheduleName"}}
	case spec.BackupName != "" && spec.ScheduleName != "":
		return []FieldError{{"spec.scheduleName", "cannot be used together with spec.backupName: remove one of them"}}
	}
	return nil
}

func checkRestoreTypes(spec *velerov1.RestoreSpec) []FieldError {
	errs := checkLists("spec.includedResources", "spec.excludedResources", spec.IncludedResources, spec.ExcludedResources)
	errs = append(errs, checkTypeNames("spec.includedResources", spec.IncludedResources)...)
	errs = append(errs, checkTypeNames("spec.excludedResources", spec.ExcludedResources)...)
	for i, e := range spec.IncludedResources {
		if NonRestorable(e) {
			errs = append(errs, nonRestorableError(elementPath("spec.includedResources", i), e))
		}
	}
	if s := spec.RestoreStatus; s != nil {
		in, ex := "spec.restoreStatus.includedResources", "spec.restoreStatus.excludedResources"
		errs = append(errs, checkTypeNames(in, s.IncludedResources)...)
		errs = append(errs, checkTypeNames(ex, s.ExcludedResources)...)
	}
	return errs
}

func nonRestorableError(path, entry string) FieldError {
	return FieldError{path, entry + " is never restored, because it belongs to the cluster it was made in: remove it"}
}

func checkMapping(mapping map[string]string) []FieldError {
	var errs []FieldError
	for _, from := range slices.Sorted(maps.Keys(mapping)) {
		path := "spec.namespaceMapping[" + from + "]"
		if from == "" {
			errs = append(errs, FieldError{path, "has no source namespace: write source: target"})
		}
		if bad := validation.ValidateNamespaceName(mapping[from], false); len(bad) > 0 {
			errs = append(errs, FieldError{path, fmt.Sprintf("%q is not a namespace name: %s", mapping[from], strings.Join(bad, "; "))})
		}
	}
	return errs
}

func checkPolicy(p velerov1.PolicyType) []FieldError {
	switch p {
	case "", velerov1.PolicyTypeNone, velerov1.PolicyTypeUpdate:
		return nil
	}
	return []FieldError{{"spec.existingResourcePolicy", fmt.Sprintf("is %q: use none or update", p)}}
}

// checkNames: each name of a restore of single objects is exact.
func checkNames(names []string) []FieldError {
	var errs []FieldError
	for i, n := range names {
		if !orderedName(n) || glob.IsFilter(n) {
			errs = append(errs, FieldError{elementPath("includeNames", i), fmt.Sprintf("%q is not namespace/name (or name): give the exact name of an object", n)})
		}
	}
	return errs
}

func checkRestoreHooks(hooks []velerov1.RestoreResourceHookSpec) []FieldError {
	var errs []FieldError
	for i, h := range hooks {
		path := elementPath("spec.hooks.resources", i)
		errs = append(errs, checkHookScope(path, h.Name, [2][]string{h.IncludedNamespaces, h.ExcludedNamespaces}, h.LabelSelector)...)
		for j, p := range h.PostHooks {
			errs = append(errs, checkRestoreHook(elementPath(path+".postHooks", j), p)...)
		}
	}
	return errs
}

func checkRestoreHook(path string, h velerov1.RestoreResourceHook) []FieldError {
	if h.Exec == nil && h.Init == nil {
		return []FieldError{{path, "has neither exec nor init: give one of them"}}
	}
	var errs []FieldError
	if e := h.Exec; e != nil {
		if len(e.Command) == 0 {
			errs = append(errs, FieldError{path + ".exec.command", "is empty: give the command to run"})
		}
		errs = append(errs, checkOnError(path+".exec.onError", e.OnError)...)
		errs = append(errs, checkDuration(path+".exec.execTimeout", e.ExecTimeout.Duration)...)
		errs = append(errs, checkDuration(path+".exec.waitTimeout", e.WaitTimeout.Duration)...)
	}
	if h.Init != nil {
		errs = append(errs, checkDuration(path+".init.timeout", h.Init.Timeout.Duration)...)
		for i, c := range h.Init.InitContainers {
			errs = append(errs, checkInitContainer(elementPath(path+".init.initContainers", i), c.Raw)...)
		}
	}
	return errs
}

// checkInitContainer: the API server would refuse the pod much later.
func checkInitContainer(path string, raw []byte) []FieldError {
	var c struct {
		Name    string   `json:"name"`
		Image   string   `json:"image"`
		Command []string `json:"command"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return []FieldError{{path, fmt.Sprintf("is not a container: %v", err)}}
	}
	var errs []FieldError
	for field, missing := range map[string]bool{"name": c.Name == "", "image": c.Image == "", "command": len(c.Command) == 0} {
		if missing {
			errs = append(errs, FieldError{path + "." + field, "is empty: an init container needs name, image and command"})
		}
	}
	slices.SortFunc(errs, func(a, b FieldError) int { return strings.Compare(a.Path, b.Path) })
	return errs
}
