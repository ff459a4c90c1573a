package native

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// deletionsAtOnce is enough to use up EC2's rate of deletions, see ebs.DefaultLimits.
const deletionsAtOnce = 8

// Deleter deletes EBS snapshots by the VolumeSnapshotLocation that they are in. It
// implements volume.Deleter, and csi.Provider for the snapshots of EBS's CSI drivers.
type Deleter struct{ Locations *location.Set }

// Check fails for a location that this worker does not know, or cannot open.
func (d *Deleter) Check(ctx context.Context, refs []volume.Ref) error {
	seen := map[string]bool{}
	for _, ref := range refs {
		n, ok := ref.(volume.NativeRef)
		if !ok {
			return wrongRef(ref)
		}
		if seen[n.Location] {
			continue
		}
		seen[n.Location] = true
		if _, err := d.Locations.Find(n.Location); err != nil {
			return failure.Invalid("retained: location %s unknown: snapshot %s is in it; add it to volumeSnapshotLocations of the worker's configuration under that very name", n.Location, n.ID)
		}
		if _, _, err := d.Locations.Get(ctx, n.Location); err != nil {
			return err
		}
	}
	return nil
}

func wrongRef(ref volume.Ref) error {
	return fmt.Errorf("%s: not a snapshot of method %s", ref, volume.MethodNative)
}

// Delete deletes snapshots that carry the owner's name, as Velero's and ours do from
// the moment they exist; others are retained, and so are those that are in the Recycle Bin
// afterwards. EC2 is asked once for all of a location, before and afterwards.
func (d *Deleter) Delete(ctx context.Context, owner volume.Owner, refs []volume.Ref, done func(volume.Ref, volume.Deletion, error)) error {
	var group errgroup.Group
	group.SetLimit(deletionsAtOnce)
	var mu sync.Mutex
	deleted := map[string][]volume.NativeRef{} // by location
	for name, of := range sortByLocation(refs, done) {
		loc, found, err := d.find(ctx, name, of)
		for _, n := range of {
			if err != nil {
				done(n, volume.Deletion{}, err)
				continue
			}
			group.Go(func() error {
				end, err := deleteOne(ctx, loc, found, owner, n)
				if err != nil || end.Outcome != volume.Deleted {
					done(n, end, err)
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				deleted[name] = append(deleted[name], n)
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil || len(deleted) == 0 {
		return err
	}
	err := poll.Wait(ctx, quota.BinShowsAfter)
	for name, of := range deleted {
		d.lookIntoBin(ctx, name, of, err, done)
	}
	return nil
}

// sortByLocation tells of those that are not EBS's that they cannot be deleted here.
func sortByLocation(refs []volume.Ref, done func(volume.Ref, volume.Deletion, error)) map[string][]volume.NativeRef {
	out := map[string][]volume.NativeRef{}
	for _, ref := range refs {
		n, ok := ref.(volume.NativeRef)
		if !ok {
			done(ref, volume.Deletion{}, wrongRef(ref))
			continue
		}
		out[n.Location] = append(out[n.Location], n)
	}
	return out
}

// find describes the snapshots of a location.
func (d *Deleter) find(ctx context.Context, name string, of []volume.NativeRef) (*ebs.Location, map[string]ebs.Snapshot, error) {
	_, loc, err := d.Locations.Get(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	found, err := loc.OwnSnapshots(ctx, handlesOf(of))
	return loc, found, err
}

func handlesOf(refs []volume.NativeRef) []string {
	ids := make([]string, len(refs))
	for i, n := range refs {
		ids[i] = n.ID
	}
	return ids
}

// lookIntoBin tells the ends of snapshots that were deleted. Where it cannot be seen whether
// the Recycle Bin has them that is the error, and a repeat finds them gone, or in it.
func (d *Deleter) lookIntoBin(ctx context.Context, name string, deleted []volume.NativeRef, err error, done func(volume.Ref, volume.Deletion, error)) {
	var loc *ebs.Location
	if err == nil {
		_, loc, err = d.Locations.Get(ctx, name)
	}
	var kept map[string]string
	if err == nil {
		kept, err = loc.InRecycleBin(ctx, handlesOf(deleted))
	}
	for _, n := range deleted {
		switch why := kept[n.ID]; {
		case err != nil:
			done(n, volume.Deletion{}, err)
		case why != "":
			done(n, volume.Deletion{Outcome: volume.Retained, Reason: why}, nil)
		default:
			done(n, volume.Deletion{Outcome: volume.Deleted}, nil)
		}
	}
}

func deleteOne(ctx context.Context, loc *ebs.Location, found map[string]ebs.Snapshot, owner volume.Owner, n volume.NativeRef) (volume.Deletion, error) {
	end, err := deleteVisible(ctx, loc, found, owner, n.ID)
	if errors.Is(err, ebs.ErrNotOurs) {
		return volume.Deletion{Outcome: volume.Retained, Reason: err.Error()}, nil
	}
	return volume.Deletion{Outcome: volume.Outcome(end.Outcome), Reason: end.Reason}, err
}

// deleteVisible deletes a snapshot. One of a young backup that EC2 does not show may be hidden:
// it is looked for again, with growing pauses.
func deleteVisible(ctx context.Context, loc *ebs.Location, found map[string]ebs.Snapshot, owner volume.Owner, id string) (ebs.Deletion, error) {
	young := time.Since(owner.Ended) < quota.VisibleWithin
	lastLook := time.Now().Add(quota.LookAgainFor)
	must := map[string]string{ebs.TagBackup: owner.Name}
	end, err := loc.DeleteFound(ctx, found, id, must)
	for pause := quota.LookAgainFor / 16; err == nil && end.Outcome == ebs.Gone && young && !time.Now().After(lastLook); pause *= 2 {
		if err := poll.Wait(ctx, pause); err != nil {
			return ebs.Deletion{}, err
		}
		end, err = loc.DeleteSnapshot(ctx, id, must)
	}
	return end, err
}

// KeptSnapshots asks EC2 which snapshots of EBS's CSI drivers it keeps, and why, by
// handle. A location that cannot be asked, or is of another account, says nothing: what
// counts is what the driver can do.
func (d *Deleter) KeptSnapshots(ctx context.Context, refs []volume.CSIRef) map[string]string {
	out := map[string]string{}
	d.askLocations(ctx, refs, func(ctx context.Context, loc *ebs.Location, ids []string) error {
		kept, err := loc.Keeps(ctx, ids)
		maps.Copy(out, kept)
		return err
	})
	return out
}

// ExistingSnapshots asks EC2 which snapshots of EBS's CSI drivers it shows, by handle. Those
// that the Recycle Bin has, or another account shares, are not among them.
func (d *Deleter) ExistingSnapshots(ctx context.Context, refs []volume.CSIRef) map[string]bool {
	out := map[string]bool{}
	d.askLocations(ctx, refs, func(ctx context.Context, loc *ebs.Location, ids []string) error {
		found, err := loc.OwnSnapshots(ctx, ids)
		for id := range found {
			out[id] = true
		}
		return err
	})
	return out
}

// askLocations asks each location about the snapshots of EBS's CSI drivers.
func (d *Deleter) askLocations(ctx context.Context, refs []volume.CSIRef, ask func(context.Context, *ebs.Location, []string) error) {
	var ids []string
	for _, s := range refs {
		if volume.IsEBSDriver(s.Driver) && volume.IsEBSSnapshotID(s.Handle) {
			ids = append(ids, s.Handle)
		}
	}
	if len(ids) == 0 {
		return
	}
	// A location that cannot be asked says nothing.
	_, _ = d.Locations.AskEach(ctx, func(ctx context.Context, _ string, loc *ebs.Location) (bool, error) { return false, ask(ctx, loc, ids) })
}
