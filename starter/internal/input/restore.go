package input

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// Restore is the input of a restore, named and checked. Its name is the argument of the command, if
// there is one, else the manifest's; without either it is called after its source and the time.
func Restore(src Source, changes *Changes[contract.RestoreInput], args []string, now time.Time) (contract.RestoreInput, error) {
	in, err := readChanged(src, manifest.Restore, changes)
	if err != nil {
		return in, err
	}
	if len(args) > 0 {
		in.Name = args[0]
	}
	if err := checkSource(in); err != nil {
		return in, err
	}
	if in.Name == "" {
		in.Name = generateRestoreName(in.Spec, now)
	}
	if err := archive.ValidateName(in.Name); err != nil {
		return in, fmt.Errorf("restore %w", err)
	}
	return in, joinFieldErrors(append(filter.ValidateMetadata("metadata.", in.Labels, in.Annotations), filter.ValidateRestore(&in.Spec, in.Names)...))
}

// checkSource speaks of flags, which is what a user of restore create thinks in.
func checkSource(in contract.RestoreInput) error {
	switch {
	case in.Spec.BackupName == "" && in.Spec.ScheduleName == "":
		return errors.New("say what to restore: --from-backup NAME or --from-schedule NAME; see 'lifeboat backup get'")
	case in.Spec.BackupName != "" && in.Spec.ScheduleName != "":
		return errors.New("--from-backup and --from-schedule exclude each other: give one")
	case in.AllowPartiallyFailed && in.Spec.ScheduleName == "":
		return errors.New("--allow-partially-failed goes with --from-schedule: a backup that is named is restored as it is")
	case in.DryRun && in.Plan != "":
		return errors.New("--dry-run makes a plan and --plan follows one: give one")
	}
	return nil
}

// generateRestoreName is the backup's (or schedule's) name with the time, cut to fit.
func generateRestoreName(spec velerov1.RestoreSpec, now time.Time) string {
	name, stamp := cmp.Or(spec.BackupName, spec.ScheduleName), "-"+now.UTC().Format("20060102150405")
	return strings.TrimRight(name[:min(len(name), archive.MaxNameLength-len(stamp))], "-.") + stamp
}

// RestoreFlags adds Velero's flags of `restore create` and ours to fs and gives what they
// change.
func RestoreFlags(fs *pflag.FlagSet) *Changes[contract.RestoreInput] {
	type in = contract.RestoreInput
	c := &Changes[in]{flags: fs}
	c.addText("from-backup", "backup to restore", func(r *in) *string { return &r.Spec.BackupName })
	c.addText("from-schedule", "schedule whose latest backup to restore", func(r *in) *string { return &r.Spec.ScheduleName })
	addRestoreFilterFlags(c)
	addRestoreObjectFlags(c)
	c.addPairs("labels", "=", "labels of the restore", func(r *in) *map[string]string { return &r.Labels })
	c.addPairs("annotations", "=", "annotations of the restore", func(r *in) *map[string]string { return &r.Annotations })
	c.addText("storage-location", "storage location of the backup (default: the one that has it)", func(r *in) *string { return &r.Location })
	c.addText("results-location", "storage location for the results (default: the backup's or, if that is ReadOnly, another)", func(r *in) *string { return &r.ResultsLocation })
	c.addText("plan", "dry run that this restore has to agree with; what changed since is reported", func(r *in) *string { return &r.Plan })
	c.addOnOff("dry-run", "show what would change, write nothing to the cluster", func(r *in) *bool { return &r.DryRun })
	c.addOnOff("allow-partially-failed", "let --from-schedule choose a PartiallyFailed backup", func(r *in) *bool { return &r.AllowPartiallyFailed })
	c.addOnOff("allow-corrupt", "restore a backup that a verification has found to be corrupt, as far as it goes", func(r *in) *bool { return &r.AllowCorrupt })
	return c
}

func addRestoreFilterFlags(c *Changes[contract.RestoreInput]) {
	type in = contract.RestoreInput
	c.addList("include-namespaces", "namespaces of the backup to restore, names or globs (default: all)", func(r *in) *[]string { return &r.Spec.IncludedNamespaces })
	c.addList("exclude-namespaces", "namespaces of the backup to leave out", func(r *in) *[]string { return &r.Spec.ExcludedNamespaces })
	c.addList("include-resources", "types to restore, as plural.group", func(r *in) *[]string { return &r.Spec.IncludedResources })
	c.addList("exclude-resources", "types to leave out", func(r *in) *[]string { return &r.Spec.ExcludedResources })
	c.addList("include-name", "single objects: namespace/name, or name for those of any namespace or none", func(r *in) *[]string { return &r.Names })
	c.addTristate("include-cluster-resources", "restore cluster-scoped objects: all (true), none (false), by need (absent)",
		func(r *in) **bool { return &r.Spec.IncludeClusterResources })
	c.addSelector("selector", "l", "only objects with these labels", func(r *in) **metav1.LabelSelector { return &r.Spec.LabelSelector })
	c.addSelectors("or-selector", "only objects that match one of these selectors: \"a=b or c=d\"", func(r *in) *[]*metav1.LabelSelector { return &r.Spec.OrLabelSelectors })
	c.addPairs("namespace-mappings", ":", "namespaces to restore under another name: from:to,from:to", func(r *in) *map[string]string { return &r.Spec.NamespaceMapping })
}

func addRestoreObjectFlags(c *Changes[contract.RestoreInput]) {
	type in = contract.RestoreInput
	c.addTristate("restore-volumes", "restore volumes from snapshots", func(r *in) **bool { return &r.Spec.RestorePVs })
	c.addPairs("storage-class-mappings", ":", "storage classes to use in place of the backup's: old:new,old:new", func(r *in) *map[string]string { return &r.StorageClasses })
	c.addTristate("preserve-nodeports", "keep the node ports of Services", func(r *in) **bool { return &r.Spec.PreserveNodePorts })
	c.addFlag("existing-resource-policy", "", "none|update", "what to do with objects that exist and differ", func(r *in, _ bool, value string) error {
		r.Spec.ExistingResourcePolicy = velerov1.PolicyType(value)
		return nil
	})
	c.addList("status-include-resources", "types whose status is restored too", func(r *in) *[]string { return &statusSpec(r).IncludedResources })
	c.addList("status-exclude-resources", "types whose status is not restored", func(r *in) *[]string { return &statusSpec(r).ExcludedResources })
	c.addFlag("resource-modifier-configmap", "", "string", "ConfigMap with resource modifiers", func(r *in, _ bool, value string) error {
		r.Spec.ResourceModifier = configMapReference(value)
		return nil
	})
	c.addDuration("item-operation-timeout", "how long to wait for asynchronous operations", func(r *in) *metav1.Duration { return &r.Spec.ItemOperationTimeout })
	c.addTristate("write-sparse-files", "write files with holes where the data has them", func(r *in) **bool { return &uploaderConfig(r).WriteSparseFiles })
	c.addNumber("parallel-files-download", "files to download at a time", func(r *in) *int { return &uploaderConfig(r).ParallelFilesDownload })
}

func statusSpec(r *contract.RestoreInput) *velerov1.RestoreStatusSpec {
	if r.Spec.RestoreStatus == nil {
		r.Spec.RestoreStatus = &velerov1.RestoreStatusSpec{}
	}
	return r.Spec.RestoreStatus
}

func uploaderConfig(r *contract.RestoreInput) *velerov1.UploaderConfigForRestore {
	if r.Spec.UploaderConfig == nil {
		r.Spec.UploaderConfig = &velerov1.UploaderConfigForRestore{}
	}
	return r.Spec.UploaderConfig
}

// CheckRestoreDocument names a flag that a Velero Restore document cannot hold.
func CheckRestoreDocument(r contract.RestoreInput) error {
	for flag, used := range map[string]bool{
		"--include-name": len(r.Names) > 0, "--dry-run": r.DryRun, "--plan": r.Plan != "",
		"--storage-class-mappings": len(r.StorageClasses) > 0,
		"--storage-location":       r.Location != "", "--allow-partially-failed": r.AllowPartiallyFailed, "--allow-corrupt": r.AllowCorrupt,
		"--results-location": r.ResultsLocation != "",
	} {
		if used {
			return fmt.Errorf("-o: a Velero Restore cannot say %s: leave one of the two out", flag)
		}
	}
	return nil
}
