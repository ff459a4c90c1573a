package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// backupFlags are Velero's flags of `backup create`, as changes to the input.
func backupFlags(fs *pflag.FlagSet) *edits[contract.BackupInput] {
	e := &edits[contract.BackupInput]{fs: fs}
	backupFilterFlags(e)
	backupVolumeFlags(e)
	type in = contract.BackupInput
	e.pairs("labels", "=", "labels of the backup", func(b *in) *map[string]string { return &b.Labels })
	e.pairs("annotations", "=", "annotations of the backup", func(b *in) *map[string]string { return &b.Annotations })
	e.duration("ttl", "how long to keep the backup (worker's default: 720h)", func(b *in) *metav1.Duration { return &b.Spec.TTL })
	e.text("storage-location", "storage location of the backup (default: the default location)", func(b *in) *string { return &b.Spec.StorageLocation })
	e.add("ordered-resources", "", "type=ns/name,...;...", "objects to back up first, in order, by plural type: 'pods=ns1/a,ns1/b;persistentvolumes=pv1'",
		func(b *in, _ bool, value string) error {
			var err error
			b.Spec.OrderedResources, err = parseOrdered(value)
			return err
		})
	e.duration("item-operation-timeout", "how long to wait until a snapshot that was taken is complete (default 4h)", func(b *in) *metav1.Duration { return &b.Spec.ItemOperationTimeout })
	return e
}

func backupFilterFlags(e *edits[contract.BackupInput]) {
	type in = contract.BackupInput
	e.list("include-namespaces", "namespaces to back up, names or globs (default: all)", func(b *in) *[]string { return &b.Spec.IncludedNamespaces })
	e.list("exclude-namespaces", "namespaces to leave out", func(b *in) *[]string { return &b.Spec.ExcludedNamespaces })
	e.list("include-resources", "types to back up, as plural.group; not with the flags by scope", func(b *in) *[]string { return &b.Spec.IncludedResources })
	e.list("exclude-resources", "types to leave out; not with the flags by scope", func(b *in) *[]string { return &b.Spec.ExcludedResources })
	e.list("include-cluster-scoped-resources", "cluster-scoped types to back up", func(b *in) *[]string { return &b.Spec.IncludedClusterScopedResources })
	e.list("exclude-cluster-scoped-resources", "cluster-scoped types to leave out", func(b *in) *[]string { return &b.Spec.ExcludedClusterScopedResources })
	e.list("include-namespace-scoped-resources", "namespaced types to back up", func(b *in) *[]string { return &b.Spec.IncludedNamespaceScopedResources })
	e.list("exclude-namespace-scoped-resources", "namespaced types to leave out", func(b *in) *[]string { return &b.Spec.ExcludedNamespaceScopedResources })
	e.tristate("include-cluster-resources", "back up cluster-scoped objects: all (true), none (false), by need (absent); not with the flags by scope",
		func(b *in) **bool { return &b.Spec.IncludeClusterResources })
	e.selector("selector", "l", "only objects with these labels", func(b *in) **metav1.LabelSelector { return &b.Spec.LabelSelector })
	e.anyOf("or-selector", "only objects that match one of these selectors: \"a=b or c=d\"", func(b *in) *[]*metav1.LabelSelector { return &b.Spec.OrLabelSelectors })
}

func backupVolumeFlags(e *edits[contract.BackupInput]) {
	type in = contract.BackupInput
	e.tristate("snapshot-volumes", "take snapshots of volumes (absent is true)", func(b *in) **bool { return &b.Spec.SnapshotVolumes })
	e.tristate("snapshot-move-data", "move the data of snapshots to the bucket; not done yet: they stay where they are, with a warning", func(b *in) **bool { return &b.Spec.SnapshotMoveData })
	e.text("data-mover", "who moves the data of snapshots; not used yet", func(b *in) *string { return &b.Spec.DataMover })
	e.tristate("default-volumes-to-fs-backup", "back up files of volumes unless a pod opts out; not done yet: such volumes are skipped with a warning, unless a resource policy says snapshot", func(b *in) **bool { return &b.Spec.DefaultVolumesToFsBackup })
	e.list("volume-snapshot-locations", "volume snapshot location to use, at most one per provider; volumes of EBS are then snapshotted natively (see 'lifeboat snapshot-location get')", func(b *in) *[]string { return &b.Spec.VolumeSnapshotLocations })
	e.duration("csi-snapshot-timeout", "how long to wait until a CSI driver has taken a snapshot (default 10m)", func(b *in) *metav1.Duration { return &b.Spec.CSISnapshotTimeout })
	e.add("resource-policies-configmap", "", "string", "ConfigMap with resource policies, in the worker's namespace", func(b *in, _ bool, value string) error {
		b.Spec.ResourcePolicy = configMap(value)
		return nil
	})
	e.number("parallel-files-upload", "files to upload at a time", func(b *in) *int {
		if b.Spec.UploaderConfig == nil {
			b.Spec.UploaderConfig = &velerov1.UploaderConfigForBackup{}
		}
		return &b.Spec.UploaderConfig.ParallelFilesUpload
	})
}

// configMap refers to a ConfigMap as Velero's own CLI does.
func configMap(name string) *corev1.TypedLocalObjectReference {
	return &corev1.TypedLocalObjectReference{Kind: "configmap", Name: name}
}

// parseOrdered reads "pods=ns/a,ns/b;persistentvolumes=pv1".
func parseOrdered(text string) (map[string]string, error) {
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
