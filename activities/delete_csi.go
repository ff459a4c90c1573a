package activities

import (
	"context"
	"fmt"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/lifeboat-backup/lifeboat/internal/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

const (
	// csiDeleteFor is how long a driver is given for one snapshot. It takes a second or
	// two; the snapshotter tries a failed one again after 1, 2, 4 and so on seconds.
	csiDeleteFor = time.Minute
	// csiLetGoFor is how long the snapshotter is given to let go of a content.
	csiLetGoFor = 10 * time.Second
	// Between two looks at a content: first short, then longer.
	contentLookFirst = 200 * time.Millisecond
	contentLookMost  = 2 * time.Second
)

// csiDeleter has CSI drivers delete a backup's snapshots. The cluster's snapshotter asks
// the driver when a VolumeSnapshotContent is deleted whose policy says so; where the
// backup's content is not there any more, another is made for the purpose.
type csiDeleter struct {
	b           *Backup
	backup, uid string

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
		d.missing = "the cluster does not serve " + vscResource
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
// its name. What EC2 knows of an EBS snapshot explains why it is kept, and saves the
// wait for a driver that would be refused; only the driver knows that one is gone.
func (d *csiDeleter) delete(ctx context.Context, s doomedCSI) (ebs.Deletion, error) {
	if why := d.impossible(s); why != "" {
		return ebs.Deletion{Outcome: ebs.Retained, Reason: why + "; delete it at its provider"}, nil
	}
	if why := d.b.keeps(ctx, s); why != "" {
		return ebs.Deletion{Outcome: ebs.Retained, Reason: why}, nil
	}
	stand, err := d.standIn(ctx, s)
	if err != nil {
		return ebs.Deletion{}, err
	}
	end, err := stand.await(ctx)
	if err != nil || end.Outcome == ebs.Retained {
		return end, err
	}
	if why := d.b.keeps(ctx, s); why != "" {
		return ebs.Deletion{Outcome: ebs.Retained, Reason: why}, nil
	}
	return end, nil
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

// keeps asks EC2 why it keeps a snapshot of the EBS driver's, "" if nothing is known
// against its deletion. A location that cannot be asked, or knows of another account,
// says nothing: what counts is what the driver can do.
func (b *Backup) keeps(ctx context.Context, s doomedCSI) string {
	if s.Driver != driverEBS || !isSnapshotID(s.Handle) {
		return ""
	}
	for i := range b.Config.VolumeSnapshotLocations {
		_, loc, err := b.Snapshots.Get(ctx, b.Config.VolumeSnapshotLocations[i].Name)
		if err != nil {
			continue
		}
		if why, err := loc.Keeps(ctx, s.Handle); err == nil && why != "" {
			return why
		}
	}
	return ""
}
