package orphan

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// Content is a VolumeSnapshotContent of the cluster.
type Content struct {
	Name    string
	UID     string
	Handle  string // of its snapshot
	Created time.Time
	// Restore is the name of the restore of Lifeboat's that made it, "" of any other.
	Restore string
	// Loose is one that keeps its snapshot and whose VolumeSnapshot there is not.
	Loose bool
}

// Objects are those of the cluster that stand for snapshots and volumes.
type Objects interface {
	// Contents are all VolumeSnapshotContents, none where the cluster does not serve the type.
	Contents(ctx context.Context) ([]Content, error)
	// DeleteContent deletes one that is loose still, and not the snapshot that it stands for.
	DeleteContent(ctx context.Context, name, uid string) error
	// VolumeSnapshots are those that backups of Lifeboat have made, none where the cluster does
	// not serve the type.
	VolumeSnapshots(ctx context.Context) ([]VolumeSnapshot, error)
	// DeleteVolumeSnapshot deletes one, with the snapshot that it stands for.
	DeleteVolumeSnapshot(ctx context.Context, namespace, name, uid string) error
	// HasSnapshot tells whether there is a VolumeSnapshot.
	HasSnapshot(ctx context.Context, namespace, name string) (bool, error)
	// Volumes are the handles of all PersistentVolumes.
	Volumes(ctx context.Context) (map[string]bool, error)
	// ClusterUID is the UID of the namespace kube-system.
	ClusterUID(ctx context.Context) (string, error)
}

// Cluster is the cluster behind an API server.
type Cluster struct{ Kube *kube.Client }

// ClusterUID implements Objects.
func (c Cluster) ClusterUID(ctx context.Context) (string, error) { return c.Kube.Identity(ctx) }

// Contents implements Objects. It asks for the VolumeSnapshots of those only that a restore may
// have left.
func (c Cluster) Contents(ctx context.Context) ([]Content, error) {
	live, err := kube.ListMap[snapshotv1.VolumeSnapshotContent](ctx, c.Kube, kube.VolumeSnapshotContents(), "", "")
	if kube.IsNotFound(err) {
		return nil, nil
	}
	all := make([]Content, 0, len(live))
	for _, content := range live {
		found, err := c.contentOf(ctx, &content)
		if err != nil {
			return nil, err
		}
		all = append(all, found)
	}
	return all, err
}

func (c Cluster) contentOf(ctx context.Context, content *snapshotv1.VolumeSnapshotContent) (Content, error) {
	out := Content{Name: content.Name, UID: string(content.UID), Handle: csi.SnapshotHandleOf(*content), Created: content.CreationTimestamp.Time}
	if !isMadeByUs(content) {
		return out, nil
	}
	out.Restore = content.Labels[resource.LabelRestore]
	if out.Restore == "" || content.Spec.DeletionPolicy != snapshotv1.VolumeSnapshotContentRetain {
		return out, nil
	}
	bound, err := c.HasSnapshot(ctx, content.Spec.VolumeSnapshotRef.Namespace, content.Spec.VolumeSnapshotRef.Name)
	out.Loose = !bound
	return out, err
}

// isMadeByUs tells whether Lifeboat made an object; Velero labels what it restores the same.
func isMadeByUs(content *snapshotv1.VolumeSnapshotContent) bool {
	return slices.ContainsFunc(content.ManagedFields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager == resource.FieldManager })
}

// DeleteContent implements Objects. One that is gone, or is another by now, is no error.
func (c Cluster) DeleteContent(ctx context.Context, name, uid string) error {
	content, err := kube.Read[snapshotv1.VolumeSnapshotContent](ctx, c.Kube, kube.VolumeSnapshotContents(), "", name)
	if kube.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	found, err := c.contentOf(ctx, &content)
	switch {
	case err != nil:
		return err
	case found.UID != uid:
		return nil
	case !found.Loose:
		return fmt.Errorf("content %s has a VolumeSnapshot, or would take its snapshot along", name)
	}
	err = c.Kube.Delete(ctx, kube.VolumeSnapshotContents(), "", name, kube.DeleteOptions{UID: uid})
	if kube.IsNotFound(err) || kube.IsConflict(err) {
		return nil
	}
	return err
}

// HasSnapshot implements Objects.
func (c Cluster) HasSnapshot(ctx context.Context, namespace, name string) (bool, error) {
	if namespace == "" || name == "" {
		return false, nil
	}
	_, err := c.Kube.Get(ctx, kube.VolumeSnapshots(), namespace, name)
	if kube.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Volumes implements Objects.
func (c Cluster) Volumes(ctx context.Context) (map[string]bool, error) {
	handles := map[string]bool{}
	err := kube.List(ctx, c.Kube, kube.Volumes(), "", "", func(pv corev1.PersistentVolume) error {
		switch {
		case pv.Spec.CSI != nil:
			handles[pv.Spec.CSI.VolumeHandle] = true
		case pv.Spec.AWSElasticBlockStore != nil:
			handles[path.Base(pv.Spec.AWSElasticBlockStore.VolumeID)] = true // with the zone or without
		}
		return nil
	})
	return handles, err
}
