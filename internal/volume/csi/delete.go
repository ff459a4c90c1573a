package csi

import (
	"context"
	"fmt"
	"sync"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// deletionTimes are how long CSI drivers and their snapshotter are waited for.
type deletionTimes struct {
	work    time.Duration // for one snapshot; it takes a second or two
	release time.Duration // until the snapshotter releases a content
	// insist is how long a driver has to say that a snapshot is not there.
	insist time.Duration
	// Between two looks at a content: first short, then longer.
	first, most time.Duration
}

// usualCSI gives a driver that fails the time for some tries: the snapshotter makes
// them after 1, 2, 4 and so on seconds.
func defaultDeletionTimes() deletionTimes {
	return deletionTimes{
		work: time.Minute, release: 10 * time.Second, insist: InsistFor,
		first: 200 * time.Millisecond, most: 2 * time.Second,
	}
}

// deletionsAtOnce is more than EC2 would need: most of the time a driver is waited for.
const deletionsAtOnce = 16

// Provider is where drivers keep their snapshots.
type Provider interface {
	// KeptSnapshots tells, by handle, which snapshots the provider keeps whatever
	// their driver is told, and why. It says nothing of those it does not know.
	KeptSnapshots(ctx context.Context, refs []volume.CSIRef) map[string]string
	// ExistingSnapshots are the handles of those that the provider shows.
	ExistingSnapshots(ctx context.Context, refs []volume.CSIRef) map[string]bool
}

// Deleter has CSI drivers delete snapshots; it implements volume.Deleter. The cluster's
// snapshotter asks the driver when a VolumeSnapshotContent is deleted whose policy says
// so; where the backup's content is not there any more, a placeholder is made for the
// purpose.
type Deleter struct {
	Kube     *kube.Client
	Provider Provider
}

// Check accepts all snapshots: what the cluster cannot delete is retained, with the
// reason.
func (d *Deleter) Check(context.Context, []volume.Ref) error { return nil }

// Delete has the drivers delete theirs, but not what the provider would refuse them,
// for which they would be waited for in vain. What they have deleted may be in the
// provider's recycle bin afterwards.
func (d *Deleter) Delete(ctx context.Context, owner volume.Owner, refs []volume.Ref, done func(volume.Ref, volume.Deletion, error)) error {
	all := make([]volume.CSIRef, len(refs))
	for i, ref := range refs {
		s, ok := ref.(volume.CSIRef)
		if !ok {
			return fmt.Errorf("%s: not a snapshot of method %s", ref, volume.MethodCSI)
		}
		all[i] = s
	}
	run := &deletion{kube: d.Kube, owner: owner, times: defaultDeletionTimes()}
	if err := run.readCluster(ctx); err != nil {
		return err
	}
	ends, errs := run.deleteAll(ctx, all, d.Provider.KeptSnapshots(ctx, all))
	if err := d.doubtGone(ctx, owner, all, ends, quota.LookAgainFor); err != nil {
		return err
	}
	if err := awaitBin(ctx, all, ends); err != nil {
		return err
	}
	kept := d.Provider.KeptSnapshots(ctx, all)
	for i, s := range all {
		if why := kept[s.Handle]; why != "" && errs[i] == nil {
			ends[i] = volume.Deletion{Outcome: volume.Retained, Reason: why}
		}
		done(s, ends[i], errs[i])
	}
	return nil
}

// awaitBin waits until the Recycle Bin shows what drivers of EBS have deleted.
func awaitBin(ctx context.Context, all []volume.CSIRef, ends []volume.Deletion) error {
	for i, s := range all {
		if ends[i].Outcome == volume.Deleted && volume.IsEBSDriver(s.Driver) {
			return poll.Wait(ctx, quota.BinShowsAfter)
		}
	}
	return nil
}

// doubtGone retains the snapshots that their driver does not find and that the provider
// shows for longer than one lingers that was just deleted. Those of a young backup may be
// hidden, from the driver as from us: the provider is asked until it would show them.
func (d *Deleter) doubtGone(ctx context.Context, owner volume.Owner, all []volume.CSIRef, ends []volume.Deletion, lingers time.Duration) error {
	isGone := func(i int) bool { return ends[i].Outcome == volume.Gone }
	young := time.Since(owner.Ended) < quota.VisibleWithin
	for end := time.Now().Add(lingers); ; {
		var gone []volume.CSIRef
		for i := range all {
			if isGone(i) {
				gone = append(gone, all[i])
			}
		}
		if len(gone) == 0 {
			return nil
		}
		existing := d.Provider.ExistingSnapshots(ctx, gone)
		if len(existing) == 0 && !young {
			return nil
		}
		if time.Now().After(end) {
			for i := range all {
				if isGone(i) && existing[all[i].Handle] {
					ends[i] = volume.Deletion{Outcome: volume.Retained, Reason: "its driver does not find it, and EC2 has it still; delete it there"}
				}
			}
			return nil
		}
		if err := poll.Wait(ctx, pollLast); err != nil {
			return err
		}
	}
}

// deletion is one call of Delete.
type deletion struct {
	kube  *kube.Client
	owner volume.Owner
	times deletionTimes

	missing string // why the cluster can delete no CSI snapshot
	live    map[string]snapshotv1.VolumeSnapshotContent
	drivers map[string]storagev1.CSIDriver
	classes map[string]snapshotv1.VolumeSnapshotClass
}

// deleteAll deletes all snapshots but the kept ones.
func (d *deletion) deleteAll(ctx context.Context, all []volume.CSIRef, kept map[string]string) ([]volume.Deletion, []error) {
	ends, errs := make([]volume.Deletion, len(all)), make([]error, len(all))
	var running sync.WaitGroup
	slots := make(chan struct{}, deletionsAtOnce)
	for i, s := range all {
		if why := kept[s.Handle]; why != "" {
			ends[i] = volume.Deletion{Outcome: volume.Retained, Reason: why}
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			ends[i], errs[i] = d.deleteOne(ctx, s)
		})
	}
	running.Wait()
	return ends, errs
}

// readCluster reads what the cluster has for the task.
func (d *deletion) readCluster(ctx context.Context) (err error) {
	own := resource.LabelBackup + "=" + resource.LabelValue(d.owner.Name)
	d.live, err = kube.ListMap[snapshotv1.VolumeSnapshotContent](ctx, d.kube, kube.VolumeSnapshotContents(), "", own)
	if apierrors.IsNotFound(err) {
		d.missing = "the cluster does not serve " + resource.VolumeSnapshotContents
		return nil
	}
	if err != nil {
		return fmt.Errorf("list volume snapshot contents: %w", err)
	}
	if d.drivers, err = kube.ListMap[storagev1.CSIDriver](ctx, d.kube, kube.CSIDrivers(), "", ""); err != nil {
		return fmt.Errorf("list CSI drivers: %w", err)
	}
	if d.classes, err = kube.ListMap[snapshotv1.VolumeSnapshotClass](ctx, d.kube, kube.VolumeSnapshotClasses(), "", ""); err != nil {
		return fmt.Errorf("list volume snapshot classes: %w", err)
	}
	return nil
}

// deleteOne deletes one snapshot. It may repeat: what an attempt before left is found by
// its name.
func (d *deletion) deleteOne(ctx context.Context, s volume.CSIRef) (volume.Deletion, error) {
	if why := d.whyImpossible(s); why != "" {
		return volume.Deletion{Outcome: volume.Retained, Reason: why + "; delete it at its provider"}, nil
	}
	p, err := d.preparePlaceholder(ctx, s)
	if err != nil {
		return volume.Deletion{}, err
	}
	return p.awaitDeletion(ctx)
}

// whyImpossible says why no driver of this cluster can delete it.
func (d *deletion) whyImpossible(s volume.CSIRef) string {
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
