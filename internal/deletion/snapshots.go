package deletion

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/binding"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
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
	st, err := b.open(ctx, in)
	if err != nil {
		return contract.SnapshotDeletion{}, err
	}
	if err := binding.CheckCluster(ctx, b.Kube, in.Binding); err != nil {
		return contract.SnapshotDeletion{}, err
	}
	t, err := beside.ReadTombstone(ctx, st, in.Name)
	if errors.Is(err, store.ErrNotFound) {
		return contract.SnapshotDeletion{}, nil // this deletion has ended elsewhere
	}
	if err != nil {
		return contract.SnapshotDeletion{}, err
	}
	if _, err := removeMarker(ctx, st, in); err != nil {
		return contract.SnapshotDeletion{}, err
	}
	end := &outcomes{recorder: p}
	var group errgroup.Group
	for method, refs := range t.Snapshots.ByMethod() {
		group.Go(func() error {
			d, err := b.deleterOf(method)
			if err != nil {
				return err
			}
			return d.Delete(ctx, volume.Owner{Name: t.Name, UID: t.UID, Ended: t.Ended}, refs, end.add)
		})
	}
	err = group.Wait()
	res, failed := end.sumUp()
	if err := errors.Join(err, failed); err != nil {
		return res, fmt.Errorf("delete the snapshots of backup %s: %w", in.Name, err)
	}
	return res, nil
}

// deleterOf is who deletes snapshots of a method.
func (b *Runner) deleterOf(method volume.Method) (volume.Deleter, error) {
	d := b.Deleters[method]
	if d == nil {
		return nil, fmt.Errorf("this worker cannot delete snapshots of method %s", method)
	}
	return d, nil
}

// outcomes counts what becomes of snapshots.
type outcomes struct {
	recorder *heartbeat.Recorder

	mu     sync.Mutex
	res    contract.SnapshotDeletion
	failed []error
}

// add counts one. That a snapshot is retained is no failure: the rest is deleted.
func (t *outcomes) add(ref volume.Ref, d volume.Deletion, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil:
		t.failed = append(t.failed, fmt.Errorf("%s: %w", ref, err))
		return
	case d.Outcome == volume.Retained:
		t.res.Retained = append(t.res.Retained, ref.String()+": "+d.Reason)
	case d.Outcome == volume.Gone:
		t.res.Gone++
	default:
		t.res.Deleted++
	}
	t.recorder.Count(1, 0)
}

// sumUp gives what was counted, and the first failures of all.
func (t *outcomes) sumUp() (contract.SnapshotDeletion, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.res.Retained)
	t.res.Retained = cutLines(t.res.Retained, "snapshots")
	failed := t.failed
	if more := len(failed) - errorsTold; more > 0 {
		failed = append(failed[:errorsTold:errorsTold], fmt.Errorf("and %d more", more))
	}
	return t.res, errors.Join(failed...)
}

// cutLines keeps what a payload takes, and says how many more there are.
func cutLines(lines []string, what string) []string {
	if more := len(lines) - linesRetained; more > 0 {
		return append(lines[:linesRetained:linesRetained], fmt.Sprintf("and %d %s more", more, what))
	}
	return lines
}
