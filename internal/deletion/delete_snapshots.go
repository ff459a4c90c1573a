package deletion

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// nativeAtOnce is enough to use up EC2's rate of deletions, see ebs.DefaultLimits.
	nativeAtOnce = 8
	// csiAtOnce is more: most of the time a driver is waited for.
	csiAtOnce = 16
	// linesRetained and errorsTold bound what travels through Temporal, which takes
	// payloads of 2 MB; a line has some 200 bytes.
	linesRetained = 1000
	errorsTold    = 10
)

// DeleteSnapshots deletes the snapshots that the tombstone names; the commit marker
// goes first, so that no backup is ever without them. Snapshots that are gone are
// done, those that the provider keeps and those that are not this backup's are
// Retained with a reason. One that fails does not keep the others. It may repeat.
func (b *Runner) DeleteSnapshots(ctx context.Context, p *heartbeat.Recorder, in contract.DeletePlan) (contract.SnapshotDeletion, error) {
	_, st, err := b.Locations.Writable(ctx, in.Location)
	if err != nil {
		return contract.SnapshotDeletion{}, err
	}
	var t tombstone
	err = repository.GetJSON(ctx, st, archive.Tombstone(in.Name), &t)
	if errors.Is(err, store.ErrNotFound) {
		return contract.SnapshotDeletion{}, nil // this deletion has ended elsewhere
	}
	if err != nil {
		return contract.SnapshotDeletion{}, err
	}
	if err := unmark(ctx, st, in.Name); err != nil {
		return contract.SnapshotDeletion{}, err
	}
	end := &outcomes{recorder: p}
	var both errgroup.Group
	both.Go(func() error { return b.deleteNatives(ctx, in.Name, t.Snapshots.Native, end) })
	both.Go(func() error { return b.deleteCSIs(ctx, t, end) })
	err = both.Wait()
	res, failed := end.result()
	if err := errors.Join(err, failed); err != nil {
		return res, fmt.Errorf("delete the snapshots of backup %s: %w", in.Name, err)
	}
	return res, nil
}

// deleteNatives deletes EBS snapshots that carry this backup's name, as Velero's and
// ours do from the moment they exist.
func (b *Runner) deleteNatives(ctx context.Context, backup string, natives []doomedNative, end *outcomes) error {
	must := map[string]string{ebs.TagBackup: backup}
	var group errgroup.Group
	group.SetLimit(nativeAtOnce)
	for _, n := range natives {
		group.Go(func() error {
			_, loc, err := b.Snapshots.Get(ctx, n.Location)
			var d ebs.Deletion
			if err == nil {
				d, err = loc.DeleteSnapshot(ctx, n.ID, must)
			}
			end.add(n.String(), d, err)
			return nil
		})
	}
	return group.Wait()
}

// deleteCSIs has the drivers delete theirs, but not what EC2 would refuse them, for
// which they would be waited for in vain. What they have deleted may be in the
// Recycle Bin afterwards.
func (b *Runner) deleteCSIs(ctx context.Context, t tombstone, end *outcomes) error {
	all := t.Snapshots.CSI
	if len(all) == 0 {
		return nil
	}
	c := &csiDeleter{b: b, backup: t.Name, uid: t.UID, times: usualCSI()}
	if err := c.look(ctx); err != nil {
		return err
	}
	kept := b.keeps(ctx, all)
	ends := make([]ebs.Deletion, len(all))
	errs := make([]error, len(all))
	var group errgroup.Group
	group.SetLimit(csiAtOnce)
	for i, s := range all {
		if why := kept[s.Handle]; why != "" {
			ends[i] = ebs.Deletion{Outcome: ebs.Retained, Reason: why}
			continue
		}
		group.Go(func() error {
			ends[i], errs[i] = c.delete(ctx, s)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	kept = b.keeps(ctx, all)
	for i, s := range all {
		if why := kept[s.Handle]; why != "" && errs[i] == nil {
			ends[i] = ebs.Deletion{Outcome: ebs.Retained, Reason: why}
		}
		end.add(s.String(), ends[i], errs[i])
	}
	return nil
}

// outcomes counts what becomes of snapshots.
type outcomes struct {
	recorder *heartbeat.Recorder

	mu     sync.Mutex
	res    contract.SnapshotDeletion
	failed []error
}

// add counts one. That a snapshot is not ours is no failure: the rest is deleted.
func (t *outcomes) add(what string, d ebs.Deletion, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case errors.Is(err, ebs.ErrNotOurs):
		t.res.Retained = append(t.res.Retained, fmt.Sprintf("%s: %v", what, err))
	case err != nil:
		t.failed = append(t.failed, fmt.Errorf("%s: %w", what, err))
		return
	case d.Outcome == ebs.Retained:
		t.res.Retained = append(t.res.Retained, what+": "+d.Reason)
	case d.Outcome == ebs.Gone:
		t.res.Gone++
	default:
		t.res.Deleted++
	}
	t.recorder.Count(1, 0)
}

// result is what was counted, and the first failures of all.
func (t *outcomes) result() (contract.SnapshotDeletion, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.res.Retained)
	if more := len(t.res.Retained) - linesRetained; more > 0 {
		t.res.Retained = append(t.res.Retained[:linesRetained:linesRetained], fmt.Sprintf("and %d snapshots more", more))
	}
	failed := t.failed
	if more := len(failed) - errorsTold; more > 0 {
		failed = append(failed[:errorsTold:errorsTold], fmt.Errorf("and %d more", more))
	}
	return t.res, errors.Join(failed...)
}
