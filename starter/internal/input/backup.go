package input

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// Backup is the input of a backup, named and checked. Its name is the argument of the command, if
// there is one, else the manifest's.
func Backup(src Source, changes *Changes[contract.BackupInput], args []string) (contract.BackupInput, error) {
	in, err := readChanged(src, manifest.Backup, changes)
	if err != nil {
		return in, err
	}
	return nameAndCheck(in, args)
}

// BackupFrom is Backup that starts from what a schedule says.
func BackupFrom(in contract.BackupInput, changes *Changes[contract.BackupInput], args []string) (contract.BackupInput, error) {
	if err := changes.applyTo(&in); err != nil {
		return in, err
	}
	return nameAndCheck(in, args)
}

func nameAndCheck(in contract.BackupInput, args []string) (contract.BackupInput, error) {
	if len(args) > 0 {
		in.Name = args[0]
	}
	if in.Name == "" {
		return in, errors.New("a backup needs a name: lifeboat backup create NAME, or metadata.name in the manifest")
	}
	if err := archive.ValidateName(in.Name); err != nil {
		return in, fmt.Errorf("backup %w", err)
	}
	return in, joinFieldErrors(append(filter.ValidateMetadata("metadata.", in.Labels, in.Annotations), filter.ValidateBackup(&in.Spec)...))
}

// BackupFlags adds Velero's flags of `backup create` to fs and gives what they change.
func BackupFlags(fs *pflag.FlagSet) *Changes[contract.BackupInput] {
	c := &Changes[contract.BackupInput]{flags: fs}
	addBackupFilterFlags(c)
	addBackupVolumeFlags(c)
	type in = contract.BackupInput
	c.addPairs("labels", "=", "labels of the backup", func(b *in) *map[string]string { return &b.Labels })
	c.addPairs("annotations", "=", "annotations of the backup", func(b *in) *map[string]string { return &b.Annotations })
	c.addFlag("ttl", "", "duration", "how long to keep the backup (worker's default: 720h)", func(b *in, _ bool, value string) error {
		ttl, err := parseDuration(value)
		if err == nil && ttl == 0 {
			err = errors.New("0 would be the worker's default, as with Velero: leave the flag out for that, or say how long, such as 87600h")
		}
		b.Spec.TTL.Duration = ttl
		return err
	})
	c.addText("storage-location", "storage location of the backup (default: the default location)", func(b *in) *string { return &b.Spec.StorageLocation })
	c.addFlag("ordered-resources", "", "type=ns/name,...;...", "objects to back up first, in order, by plural type: 'pods=ns1/a,ns1/b;persistentvolumes=pv1'",
		func(b *in, _ bool, value string) error {
			var err error
			b.Spec.OrderedResources, err = parseOrderedResources(value)
			return err
		})
	c.addDuration("item-operation-timeout", "how long to wait until a snapshot that was taken is complete (default 4h)", func(b *in) *metav1.Duration { return &b.Spec.ItemOperationTimeout })
	return c
}

func addBackupFilterFlags(c *Changes[contract.BackupInput]) {
	type in = contract.BackupInput
	c.addList("include-namespaces", "namespaces to back up, names or globs (default: all)", func(b *in) *[]string { return &b.Spec.IncludedNamespaces })
	c.addList("exclude-namespaces", "namespaces to leave out", func(b *in) *[]string { return &b.Spec.ExcludedNamespaces })
	c.addList("include-resources", "types to back up, as plural.group; not with the flags by scope", func(b *in) *[]string { return &b.Spec.IncludedResources })
	c.addList("exclude-resources", "types to leave out; not with the flags by scope", func(b *in) *[]string { return &b.Spec.ExcludedResources })
	c.addList("include-cluster-scoped-resources", "cluster-scoped types to back up", func(b *in) *[]string { return &b.Spec.IncludedClusterScopedResources })
	c.addList("exclude-cluster-scoped-resources", "cluster-scoped types to leave out", func(b *in) *[]string { return &b.Spec.ExcludedClusterScopedResources })
	c.addList("include-namespace-scoped-resources", "namespaced types to back up", func(b *in) *[]string { return &b.Spec.IncludedNamespaceScopedResources })
	c.addList("exclude-namespace-scoped-resources", "namespaced types to leave out", func(b *in) *[]string { return &b.Spec.ExcludedNamespaceScopedResources })
	c.addTristate("include-cluster-resources", "back up cluster-scoped objects: all (true), none (false), by need (absent); not with the flags by scope",
		func(b *in) **bool { return &b.Spec.IncludeClusterResources })
	c.addSelector("selector", "l", "only objects with these labels", func(b *in) **metav1.LabelSelector { return &b.Spec.LabelSelector })
	c.addSelectors("or-selector", "only objects that match one of these selectors: \"a=b or c=d\"", func(b *in) *[]*metav1.LabelSelector { return &b.Spec.OrLabelSelectors })
}

func addBackupVolumeFlags(c *Changes[contract.BackupInput]) {
	type in = contract.BackupInput
	c.addTristate("snapshot-volumes", "take snapshots of volumes (absent is true)", func(b *in) **bool { return &b.Spec.SnapshotVolumes })
	c.addTristate("snapshot-move-data", "move the data of snapshots to the bucket; not done yet: they stay where they are, with a warning", func(b *in) **bool { return &b.Spec.SnapshotMoveData })
	c.addText("data-mover", "who moves the data of snapshots; not used yet", func(b *in) *string { return &b.Spec.DataMover })
	c.addTristate("default-volumes-to-fs-backup", "back up files of volumes unless a pod opts out; not done yet: such volumes are skipped with a warning, unless a resource policy says snapshot", func(b *in) **bool { return &b.Spec.DefaultVolumesToFsBackup })
	c.addList("volume-snapshot-locations", "volume snapshot location to use, at most one per provider; volumes of EBS are then snapshotted natively (see 'lifeboat snapshot-location get')", func(b *in) *[]string { return &b.Spec.VolumeSnapshotLocations })
	c.addDuration("csi-snapshot-timeout", "how long to wait until a CSI driver has taken a snapshot (default 10m)", func(b *in) *metav1.Duration { return &b.Spec.CSISnapshotTimeout })
	c.addFlag("resource-policies-configmap", "", "string", "ConfigMap with resource policies, in the worker's namespace", func(b *in, _ bool, value string) error {
		b.Spec.ResourcePolicy = configMapReference(value)
		return nil
	})
	c.addNumber("parallel-files-upload", "files to upload at a time", func(b *in) *int {
		if b.Spec.UploaderConfig == nil {
			b.Spec.UploaderConfig = &velerov1.UploaderConfigForBackup{}
		}
		return &b.Spec.UploaderConfig.ParallelFilesUpload
	})
}

// configMapReference refers to a ConfigMap as Velero's own CLI does.
func configMapReference(name string) *corev1.TypedLocalObjectReference {
	return &corev1.TypedLocalObjectReference{Kind: "configmap", Name: name}
}

// parseOrderedResources reads "pods=ns/a,ns/b;persistentvolumes=pv1".
func parseOrderedResources(text string) (map[string]string, error) {
	out := map[string]string{}
	for entry := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		kind, order, ok := strings.Cut(entry, "=")
		kind, order = strings.TrimSpace(kind), strings.TrimSpace(order)
		if !ok || kind == "" || order == "" || strings.Contains(order, "=") {
			return nil, fmt.Errorf("%q is not of the form type=namespace/name,namespace/name; separate types by ';'", entry)
		}
		if _, twice := out[kind]; twice {
			return nil, fmt.Errorf("type %s is given twice: join its names with commas", kind)
		}
		out[kind] = order
	}
	return out, nil
}
