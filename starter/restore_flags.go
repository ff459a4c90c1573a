package main

import (
	"fmt"

	"github.com/spf13/pflag"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// restoreFlags are Velero's flags of `restore create` and ours, as changes to the
// input.
func restoreFlags(fs *pflag.FlagSet) *edits[contract.RestoreInput] {
	type in = contract.RestoreInput
	e := &edits[in]{fs: fs}
	e.text("from-backup", "backup to restore", func(r *in) *string { return &r.Spec.BackupName })
	e.text("from-schedule", "schedule whose latest backup to restore", func(r *in) *string { return &r.Spec.ScheduleName })
	restoreFilterFlags(e)
	restoreObjectFlags(e)
	e.pairs("labels", "=", "labels of the restore", func(r *in) *map[string]string { return &r.Labels })
	e.pairs("annotations", "=", "annotations of the restore", func(r *in) *map[string]string { return &r.Annotations })
	e.text("storage-location", "storage location of the backup (default: the one that has it)", func(r *in) *string { return &r.Location })
	e.text("plan", "dry run that this restore has to agree with; what changed since is reported", func(r *in) *string { return &r.Plan })
	e.onOff("dry-run", "show what would change, write nothing to the cluster", func(r *in) *bool { return &r.DryRun })
	e.onOff("allow-partially-failed", "let --from-schedule choose a PartiallyFailed backup", func(r *in) *bool { return &r.AllowPartiallyFailed })
	return e
}

func restoreFilterFlags(e *edits[contract.RestoreInput]) {
	type in = contract.RestoreInput
	e.list("include-namespaces", "namespaces of the backup to restore, names or globs (default: all)", func(r *in) *[]string { return &r.Spec.IncludedNamespaces })
	e.list("exclude-namespaces", "namespaces of the backup to leave out", func(r *in) *[]string { return &r.Spec.ExcludedNamespaces })
	e.list("include-resources", "types to restore, as plural.group", func(r *in) *[]string { return &r.Spec.IncludedResources })
	e.list("exclude-resources", "types to leave out", func(r *in) *[]string { return &r.Spec.ExcludedResources })
	e.list("include-name", "single objects: namespace/name, or name for those of any namespace or none", func(r *in) *[]string { return &r.Names })
	e.tristate("include-cluster-resources", "restore cluster-scoped objects: all (true), none (false), by need (absent)",
		func(r *in) **bool { return &r.Spec.IncludeClusterResources })
	e.selector("selector", "l", "only objects with these labels", func(r *in) **metav1.LabelSelector { return &r.Spec.LabelSelector })
	e.anyOf("or-selector", "only objects that match one of these selectors: \"a=b or c=d\"", func(r *in) *[]*metav1.LabelSelector { return &r.Spec.OrLabelSelectors })
	e.pairs("namespace-mappings", ":", "namespaces to restore under another name: from:to,from:to", func(r *in) *map[string]string { return &r.Spec.NamespaceMapping })
}

func restoreObjectFlags(e *edits[contract.RestoreInput]) {
	type in = contract.RestoreInput
	e.tristate("restore-volumes", "restore volumes from snapshots", func(r *in) **bool { return &r.Spec.RestorePVs })
	e.pairs("storage-class-mappings", ":", "storage classes to use in place of the backup's: old:new,old:new", func(r *in) *map[string]string { return &r.StorageClasses })
	e.tristate("preserve-nodeports", "keep the node ports of Services", func(r *in) **bool { return &r.Spec.PreserveNodePorts })
	e.add("existing-resource-policy", "", "none|update", "what to do with objects that exist and differ", func(r *in, _ bool, value string) error {
		r.Spec.ExistingResourcePolicy = velerov1.PolicyType(value)
		return nil
	})
	e.list("status-include-resources", "types whose status is restored too", func(r *in) *[]string { return &status(r).IncludedResources })
	e.list("status-exclude-resources", "types whose status is not restored", func(r *in) *[]string { return &status(r).ExcludedResources })
	e.add("resource-modifier-configmap", "", "string", "ConfigMap with resource modifiers", func(r *in, _ bool, value string) error {
		r.Spec.ResourceModifier = configMap(value)
		return nil
	})
	e.duration("item-operation-timeout", "how long to wait for asynchronous operations", func(r *in) *metav1.Duration { return &r.Spec.ItemOperationTimeout })
	e.tristate("write-sparse-files", "write files with holes where the data has them", func(r *in) **bool { return &uploader(r).WriteSparseFiles })
	e.number("parallel-files-download", "files to download at a time", func(r *in) *int { return &uploader(r).ParallelFilesDownload })
}

func status(r *contract.RestoreInput) *velerov1.RestoreStatusSpec {
	if r.Spec.RestoreStatus == nil {
		r.Spec.RestoreStatus = &velerov1.RestoreStatusSpec{}
	}
	return r.Spec.RestoreStatus
}

func uploader(r *contract.RestoreInput) *velerov1.UploaderConfigForRestore {
	if r.Spec.UploaderConfig == nil {
		r.Spec.UploaderConfig = &velerov1.UploaderConfigForRestore{}
	}
	return r.Spec.UploaderConfig
}

// inexpressible names a flag that a Velero Restore document cannot hold.
func inexpressible(r contract.RestoreInput) error {
	for flag, used := range map[string]bool{
		"--include-name": len(r.Names) > 0, "--dry-run": r.DryRun, "--plan": r.Plan != "",
		"--storage-class-mappings": len(r.StorageClasses) > 0,
		"--storage-location":       r.Location != "", "--allow-partially-failed": r.AllowPartiallyFailed,
	} {
		if used {
			return fmt.Errorf("-o: a Velero Restore cannot say %s: leave one of the two out", flag)
		}
	}
	return nil
}
