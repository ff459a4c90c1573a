package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/backup/quiesce"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TakeUnit quiesces the pods of a unit, takes the snapshots of its volumes and unquiesces the
// pods, whatever happens in between. It may repeat: snapshots are found again by tags and
// names, and pods that a lost attempt left quiesced are unquiesced first. A volume that
// cannot be snapshotted is a reason in the result. An error is one of the cluster, a driver
// or the store, and may pass.
func TakeUnit(ctx context.Context, b *backup.Service, attempt int32, in contract.SnapshotVolumesInput) (contract.SnapshotResult, error) {
	o, err := b.Open(ctx, in.Ref)
	if err != nil {
		return contract.SnapshotResult{}, err
	}
	var res backup.UnitResult
	err = o.Staging.Get(ctx, repository.UnitSnapshotFile(in.Unit), &res)
	if errors.Is(err, store.ErrNotFound) {
		res, err = attemptUnit(ctx, b, o, in.Unit, attempt)
	}
	return res.Summary(), err
}

// attemptUnit makes one attempt at a unit that has no result yet.
func attemptUnit(ctx context.Context, b *backup.Service, o *backup.Run, unit int, attempt int32) (backup.UnitResult, error) {
	q, began := quiesce.New(b, o, unit), time.Now()
	resumed, err := q.Resume(ctx)
	if err != nil {
		return backup.UnitResult{}, err
	}
	drivers, err := b.Snapshotters(ctx, o)
	if err != nil {
		return backup.UnitResult{}, err
	}
	s := &unitSnapshot{run: o, unit: &o.Plan.Volumes.Units[unit], quiescer: q, barred: map[volume.Method]bool{}, attempt: attempt}
	defer s.releaseReservations()
	if err := s.reuseEarlier(ctx, drivers, began, resumed); err != nil {
		return backup.UnitResult{}, err
	}
	if q.IsExhausted() {
		s.giveUp()
	} else if err := s.takeQuiesced(ctx, drivers, o.Plan.ReserveOptions(b.Config.Limits.PendingSnapshots, len(s.unit.Pods) > 0, q.IsLast(), attempt)); err != nil {
		return backup.UnitResult{}, fmt.Errorf("snapshot unit %d: %w", unit, err)
	}
	return createUnitResult(ctx, o, unit, s.unitResult())
}

// createUnitResult writes the result of a unit. That of a later attempt stays: it may have
// deleted the snapshots of this one, which was taken for dead.
func createUnitResult(ctx context.Context, o *backup.Run, unit int, mine backup.UnitResult) (backup.UnitResult, error) {
	res, file := mine, repository.UnitSnapshotFile(unit)
	err := repository.CreateStaged(ctx, o.Staging, file, &res)
	if err == nil && res.Attempt < mine.Attempt {
		res, err = mine, o.Staging.Put(ctx, file, &mine)
	}
	return res, err
}

// unitSnapshot is one attempt to take the snapshots of a unit.
type unitSnapshot struct {
	run      *backup.Run
	unit     *backup.Unit
	quiescer *quiesce.Quiescer

	attempt      int32                  // number of the attempt, from 1
	barred       map[volume.Method]bool // methods by which no snapshots are taken
	reservations []volume.Reservation
	mu           sync.Mutex
	snapshots    []volume.Snapshot // of volumes that have one or will have none
}

// takeQuiesced reserves capacity first, so that pods are quiesced only briefly. Tags that
// cannot be set when a snapshot is created are set once the pods are unquiesced.
func (s *unitSnapshot) takeQuiesced(ctx context.Context, drivers volume.Drivers, how volume.ReserveOptions) error {
	if err := s.reserveCapacity(ctx, drivers, how); err != nil {
		return err
	}
	if err := s.quiesceAndTake(ctx, how.LastAttempt); err != nil {
		return err
	}
	return s.completeTags(ctx)
}

// giveUp fails the volumes of a unit whose pods were quiesced as often as they may be: an
// application must not be stopped again and again for a snapshot that does not come.
func (s *unitSnapshot) giveUp() {
	why := s.quiescer.ExhaustedText()
	for _, i := range s.unit.Volumes() {
		s.failVolume(i, why)
	}
	if len(s.unit.Volumes()) == 0 {
		s.quiescer.FailAllHooks()
	}
}

// reserveCapacity has each driver reserve capacity for its volumes. A refusal that no retry
// mends fails the volumes and not the backup, whose objects are worth having without them.
func (s *unitSnapshot) reserveCapacity(ctx context.Context, drivers volume.Drivers, how volume.ReserveOptions) error {
	ctx, done := quota.KeepTurn(ctx) // several technologies may reserve in one account
	defer done()
	groups := s.groupsByMethod()
	for _, d := range drivers {
		volumes := groups[d.Method]
		if len(volumes) == 0 || s.barred[d.Method] {
			continue
		}
		reservation, err := d.Reserve(ctx, volumes, how)
		switch {
		case err == nil:
			s.reservations = append(s.reservations, reservation)
		case ctx.Err() == nil && (d.IsPermanent(err) || errors.Is(err, volume.ErrNoCapacity)):
			s.snapshots = append(s.snapshots, volume.FailedSnapshots(slices.Concat(volumes...), err.Error())...)
		default:
			return err
		}
	}
	return nil
}

func (s *unitSnapshot) releaseReservations() {
	for _, r := range s.reservations {
		r.Release()
	}
}

// quiesceAndTake takes the snapshots with the pods quiesced. The pods are unquiesced also when
// that fails, when a hook fails, and when the backup is cancelled.
func (s *unitSnapshot) quiesceAndTake(ctx context.Context, last bool) (err error) {
	defer func() { err = errors.Join(err, s.quiescer.Unquiesce(ctx, err)) }()
	stopped, err := s.quiescer.Quiesce(ctx)
	if err != nil {
		return err
	}
	return s.takeSnapshots(ctx, s.unquiescedVolumes(stopped), last)
}

// takeSnapshots takes the snapshots of all drivers at the same time, except those of some
// volumes. When the pods may not be quiesced once more (last), an error fails the volumes
// that have no snapshot, and the snapshots that there are count.
func (s *unitSnapshot) takeSnapshots(ctx context.Context, except map[int]bool, last bool) error {
	group, gctx := errgroup.WithContext(ctx)
	var lastError error
	for _, r := range s.reservations {
		group.Go(func() error {
			got, err := r.Take(gctx, except)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.snapshots = append(s.snapshots, got...)
			if err != nil && last && len(s.unit.Pods) > 0 && ctx.Err() == nil {
				lastError, err = err, nil
			}
			return err
		})
	}
	err := group.Wait()
	if lastError != nil {
		for _, i := range s.unit.Volumes() {
			s.failVolume(i, lastError.Error())
		}
	}
	return err
}

// unquiescedVolumes returns the volumes of pods that could not be quiesced, and fails them: a
// snapshot of one would be mistaken for a consistent one.
func (s *unitSnapshot) unquiescedVolumes(stopped map[string]string) map[int]bool {
	out := map[int]bool{}
	for _, pod := range s.unit.Pods {
		why, ok := stopped[resource.ObjectName(pod.Namespace, pod.Name)]
		if !ok {
			continue
		}
		for _, i := range s.unit.Volumes() {
			v := &s.run.Plan.Volumes.Volumes[i]
			if v.Namespace == pod.Namespace && slices.Contains(pod.Claims, v.Claim) && !out[i] {
				out[i] = true
				s.failVolume(i, fmt.Sprintf("pod %s was not frozen, so that no snapshot was taken: %s", pod.Name, why))
			}
		}
	}
	return out
}

// failVolume records why there is no snapshot of a volume, unless it has one or is failed
// already.
func (s *unitSnapshot) failVolume(index int, why string) {
	if !slices.ContainsFunc(s.snapshots, func(t volume.Snapshot) bool { return t.Volume == index }) {
		s.snapshots = append(s.snapshots, volume.FailedSnapshots([]int{index}, why)...)
	}
}

// completeTags sets the tags that a snapshot cannot be created with. One whose tags are
// refused has failed, because nobody could tell whose it is.
func (s *unitSnapshot) completeTags(ctx context.Context) error {
	for _, r := range s.reservations {
		refused, err := r.CompleteTags(ctx)
		if err != nil {
			return err
		}
		for i := range s.snapshots {
			if why := refused[s.snapshots[i].Volume]; why != "" {
				s.snapshots[i].Failed = why
			}
		}
	}
	return nil
}

// unitResult is what became of the unit, with a reason for each volume without a snapshot.
func (s *unitSnapshot) unitResult() backup.UnitResult {
	res := backup.UnitResult{Attempt: s.attempt, Snapshots: s.snapshots, Hooks: s.quiescer.HookCounts(), Reasons: s.quiescer.AllReasons(), Recorded: s.quiescer.Recorded()}
	for _, t := range s.snapshots {
		if t.Failed != "" {
			res.Reasons = append(res.Reasons, s.run.Plan.Volumes.FailureReason(t.Volume, t.Failed))
		} else if t.Apart != "" {
			res.Reasons = append(res.Reasons, s.run.Plan.Volumes.ApartReason(t.Volume, t.Apart))
		}
	}
	report.Sort(res.Reasons)
	res.Reasons = slices.Compact(res.Reasons)
	return res
}
