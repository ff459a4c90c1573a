package orphan

import (
	"cmp"
	"context"
	"strings"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// VolumeSnapshot is one of the cluster that a backup made. It is there until the backup is
// committed.
type VolumeSnapshot struct {
	Namespace, Name, UID string
	// Content is the name of what it is bound to, or is about to be.
	Content string
	// Backup is the backup's name, BackupUID its UID; Cluster and Place say whose it is.
	Backup, BackupUID, Cluster, Place string
	Created                           time.Time
}

// VolumeSnapshots implements Objects.
func (c Cluster) VolumeSnapshots(ctx context.Context) (all []VolumeSnapshot, err error) {
	err = kube.List(ctx, c.Kube, kube.VolumeSnapshots(), "", csi.LabelUID, func(vs snapshotv1.VolumeSnapshot) error {
		all = append(all, VolumeSnapshot{
			Namespace: vs.Namespace, Name: vs.Name, UID: string(vs.UID), Content: csi.ContentOf(&vs), Backup: vs.Annotations[ebs.TagBackup], BackupUID: vs.Labels[csi.LabelUID],
			Cluster: vs.Annotations[ebs.TagCluster], Place: vs.Annotations[ebs.TagPlace], Created: vs.CreationTimestamp.Time,
		})
		return nil
	})
	if kube.IsNotFound(err) {
		return nil, nil
	}
	return all, err
}

// DeleteVolumeSnapshot implements Objects. One that is gone, or is another by now, is no error.
func (c Cluster) DeleteVolumeSnapshot(ctx context.Context, namespace, name, uid string) error {
	vs, err := kube.Read[snapshotv1.VolumeSnapshot](ctx, c.Kube, kube.VolumeSnapshots(), namespace, name)
	if kube.IsNotFound(err) || err == nil && string(vs.UID) != uid {
		return nil
	}
	if err != nil {
		return err
	}
	return csi.DeleteWithSnapshot(ctx, c.Kube, &vs)
}

// orphanOfVolumeSnapshot is nil for one of a backup that goes on, for one that stands for a
// snapshot which a backup names, and for one whose backup's files lie in a place that this worker
// does not know. What a run that has ended left goes with the run: this is what is left without
// one, or was made so late by an attempt that stood still that the backup does not have it.
func (l *look) orphanOfVolumeSnapshot(vs VolumeSnapshot) *contract.Orphan {
	handle := l.handles[vs.Content] // "" if it has no content
	if vs.Cluster != l.cluster || !l.digests[vs.Place] || vs.BackupUID == "" || l.names.runs[vs.BackupUID] != "" || l.names.snapshots[handle] != nil {
		return nil
	}
	row := contract.Orphan{
		Kind: contract.OrphanVolumeSnapshot, ID: resource.ObjectName(vs.Namespace, vs.Name), Cluster: l.cluster,
		Backup: vs.Backup, UID: vs.BackupUID, ObjectUID: vs.UID, Handle: handle, Since: vs.Created,
	}
	p := l.placeOf(vs.Place)
	if p == nil {
		row.Reason = "the storage location of its backup could not be read"
		return &row
	}
	row.Location = p.name
	row.Reason = cmp.Or(l.names.doubts[vs.Backup], l.unseen(), p.whyMissing(vs.BackupUID, vs.Backup), l.whyKept(p), p.whyDoubtful(l.now.Add(-l.Grace)), l.young(vs.Created))
	return &row
}

func (c *Collector) removeVolumeSnapshot(ctx context.Context, row contract.Orphan) (string, error) {
	if why, err := c.whyNamed(ctx, row); why != "" || err != nil {
		return why, err
	}
	namespace, name, _ := strings.Cut(row.ID, "/")
	return "", c.Objects.DeleteVolumeSnapshot(ctx, namespace, name, row.ObjectUID)
}
