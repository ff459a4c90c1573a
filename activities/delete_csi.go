package activities

import (
	"context"
	"fmt"
	"maps"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore/volumes"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// csiTimes are how long CSI drivers and their snapshotter are waited for.
type csiTimes struct {
	work  time.Duration // for one snapshot; it takes a second or two
	letGo time.Duration // until the snapshotter lets go of a content
	// insist is how long a driver has to say that a snapshot is not there.
	insist time.Duration
	// Between two looks at a content: first short, then longer.
	first, most time.Duration
}

// usualCSI gives a driver that fails the time for some tries: the snapshotter makes
// them after 1, 2, 4 and so on seconds.
func usualCSI() csiTimes {
	return csiTimes{
		work: time.Minute, letGo: 10 * time.Second, insist: volumes.UsualProbe().Insist,
		first: 200 * time.Millisecond, most: 2 * time.Second,
	}
}

// csiDeleter has CSI drivers delete a backup's snapshots. The cluster's snapshotter asks
// the driver when a VolumeSnapshotContent is deleted whose policy says so; where the
// backup's content is not there any more, another is made for the purpose.
type csiDeleter struct {
	b           *backup.Service
	backup, uid string
	times       csiTimes

	missing string // why the cluster can delete no CSI snapshot
	live    map[string]snapshotv1.VolumeSnapshotContent
	drivers map[string]storagev1.CSIDriver
	classes map[string]snapshotv1.VolumeSnapshotClass
}

// look reads what the cluster has for the task.
func (d *csiDeleter) look(ctx context.Context) (err error) {
	own := resource.LabelBackup + "=" + resource.LabelValue(d.backup)
	d.live, err = kube.ListMap[snapshotv1.VolumeSnapshotContent](ctx, d.b.Kube, kube.VolumeSnapshotContents(), "", own)
	if kube.IsNotFound(err) {
		d.missing = "the cluster does not serve " + resource.VolumeSnapshotContents
		return nil
	}
	if err != nil {
		return fmt.Errorf("list volume snapshot contents: %w", err)
	}
	if d.drivers, err = kube.ListMap[storagev1.CSIDriver](ctx, d.b.Kube, kube.CSIDrivers(), "", ""); err != nil {
		return fmt.Errorf("list CSI drivers: %w", err)
	}
	if d.classes, err = kube.ListMap[snapshotv1.VolumeSnapshotClass](ctx, d.b.Kube, kube.VolumeSnapshotClasses(), "", ""); err != nil {
		return fmt.Errorf("list volume snapshot classes: %w", err)
	}
	return nil
}

// delete deletes one snapshot. It may repeat: what an attempt before left is found by
// its name.
func (d *csiDeleter) delete(ctx context.Context, s doomedCSI) (ebs.Deletion, error) {
	if why := d.impossible(s); why != "" {
		return ebs.Deletion{Outcome: ebs.Retained, Reason: why + "; delete it at its provider"}, nil
	}
	stand, err := d.standIn(ctx, s)
	if err != nil {
		return ebs.Deletion{}, err
	}
	return stand.await(ctx)
}

// impossible says why no driver of this cluster can delete it.
func (d *csiDeleter) impossible(s doomedCSI) string {
	switch _, installed := d.drivers[s.Driver]; {
	case d.missing != "":
		return d.missing
	case !installed:
		return "the driver is not installed in the cluster"
	case s.Group != "":
		return partOfGroup(s.Group)
	}
	return ""
}

func partOfGroup(group string) string {
	return "it is a part of group snapshot " + group + ", which drivers delete as a whole only"
}

// keeps asks EC2 which snapshots of its driver's it keeps, and why, by handle. That
// explains what a driver only fails at. A location that cannot be asked, or is of
// another account, says nothing: what counts is what the driver can do.
func (b *Backup) keeps(ctx context.Context, all []doomedCSI) map[string]string {
	var ids []string
	for _, s := range all {
		if s.Driver == volume.DriverEBS && volume.IsEBSSnapshotID(s.Handle) {
			ids = append(ids, s.Handle)
		}
	}
	out := map[string]string{}
	for i := range b.Config.VolumeSnapshotLocations {
		_, loc, err := b.Snapshots.Get(ctx, b.Config.VolumeSnapshotLocations[i].Name)
		if err != nil {
			continue
		}
		kept, err := loc.Keeps(ctx, ids)
		if err == nil {
			maps.Copy(out, kept)
		}
	}
	return out
}
