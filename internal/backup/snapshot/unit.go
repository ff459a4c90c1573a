package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/backup/quiesce"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TakeUnit freezes the pods of a unit, takes the snapshots of its volumes and
// thaws the pods, whatever happens in between. It may repeat: snapshots are found
// again by tags and names, and pods that a lost attempt left frozen are thawed first.
// A volume that cannot be snapshotted is a reason in the result; an error is the
// cluster's, EC2's or the store's, and may pass.
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

// unit is one attempt at a unit that has no result yet.
func attemptUnit(ctx context.Context, b *backup.Service, o *backup.Run, unit int, attempt int32) (backup.UnitResult, error) {
	f, began := quiesce.New(b, o, unit), time.Now()
	resumed, err := f.Resume(ctx)
	if err != nil {
		return backup.UnitResult{}, err
	}
	drivers, err := b.Snapshotters(ctx, o)
	if err != nil {
		return backup.UnitResult{}, err
	}
	s := &unitSnapshot{run: o, unit: &o.Plan.Volumes.Units[unit], quiescer: f, barred: map[volume.Path]bool{}, attempt: attempt}
	defer s.release()
	if err := s.reuseEarlier(ctx, drivers, began, resumed); err != nil {
		return backup.UnitResult{}, err
	}
	if f.IsExhausted() {
		s.giveUp()
	} else if err := s.takeQuiesced(ctx, drivers, o.Plan.ReserveOptions(b.Config.Limits.PendingSnapshots, len(s.unit.Pods) > 0, f.IsLast(), attempt)); err != nil {
		return backup.UnitResult{}, fmt.Errorf("snapshot unit %d: %w", unit, err)
	}
	res := s.result()
	return res, o.Staging.Put(ctx, repository.UnitSnapshotFile(unit), &res)
}

// unitSnapshot takes the snapshots of one unit.
type unitSnapshot struct {
	run      *backup.Run
	unit     *backup.Unit
	quiescer *quiesce.Quiescer

	attempt      int32                // at the unit, from 1
	barred       map[volume.Path]bool // not to be taken
	reservations []volume.Reservation
	mu           sync.Mutex
	taken        []volume.Snapshot
}

// takeQuiesced waits for room, freezes, takes, thaws and completes.
func (s *unitSnapshot) takeQuiesced(ctx context.Context, drivers volume.Drivers, how volume.ReserveOptions) error {
	if err := s.reserve(ctx, drivers, how); err != nil {
		return err
	}
	if err := s.quiesceAndTake(ctx, how.LastAttempt); err != nil {
		return err
	}
	return s.complete(ctx)
}

// giveUp is the end of a unit whose pods have been frozen often enough: an application
// must not be stopped again and again for a snapshot that does not come.
func (s *unitSnapshot) giveUp() {
	why := s.quiescer.ExhaustedText()
	for _, i := range s.unit.Volumes() {
		s.fail(i, why)
	}
	if len(s.unit.Volumes()) == 0 {
		s.quiescer.FailAllHooks()
	}
}

// reserve prepares each technology. What is refused for good is the volumes' failure and not
// the backup's: the objects are worth having without them.
func (s *unitSnapshot) reserve(ctx context.Context, drivers volume.Drivers, how volume.ReserveOptions) error {
	ctx, done := quota.KeepTurn(ctx) // several technologies may reserve in one account
	defer done()
	groups := s.groups()
	for _, d := range drivers {
		of := groups[d.Method]
		if len(of) == 0 || s.barred[d.Method] {
			continue
		}
		t, err := d.Reserve(ctx, of, how)
		switch {
		case err == nil:
			s.reservations = append(s.reservations, t)
		case ctx.Err() == nil && (backup.IsPermanent(err) || errors.Is(err, volume.ErrNoCapacity)):
			s.taken = append(s.taken, volume.FailedSnapshots(slices.Concat(of...), err.Error())...)
		default:
			return err
		}
	}
	return nil
}

func (s *unitSnapshot) release() {
	for _, t := range s.reservations {
		t.Release()
	}
}

// quiesceAndTake freezes, takes and thaws. The pods are thawed also when the freeze or the
// snapshots fail, and when the backup is cancelled.
func (s *unitSnapshot) quiesceAndTake(ctx context.Context, last bool) (err error) {
	defer func() { err = errors.Join(err, s.quiescer.Unquiesce(ctx, err)) }()
	stopped, err := s.quiescer.Quiesce(ctx)
	if err != nil {
		return err
	}
	return s.take(ctx, s.without(stopped), last)
}

// take takes the snapshots of all technologies. With pods frozen for the last time, what goes
// wrong is the volumes' failure, and what could be had is kept.
func (s *unitSnapshot) take(ctx context.Context, without map[int]bool, last bool) error {
	group, gctx := errgroup.WithContext(ctx)
	var inVain error
	for _, t := range s.reservations {
		group.Go(func() error {
			got, err := t.Take(gctx, without)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.taken = append(s.taken, got...)
			if err != nil && last && len(s.unit.Pods) > 0 && ctx.Err() == nil {
				inVain, err = err, nil
			}
			return err
		})
	}
	err := group.Wait()
	if inVain != nil {
		for _, i := range s.unit.Volumes() {
			s.fail(i, inVain.Error())
		}
	}
	return err
}

// without are the volumes of pods that could not be frozen: there is no snapshot of
// them, since it would be taken for a consistent one.
func (s *unitSnapshot) without(stopped map[string]string) map[int]bool {
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
				s.fail(i, fmt.Sprintf("pod %s was not frozen, so that no snapshot was taken: %s", pod.Name, why))
			}
		}
	}
	return out
}

// fail notes why there is no snapshot of a volume, unless that is known.
func (s *unitSnapshot) fail(index int, why string) {
	if !slices.ContainsFunc(s.taken, func(t volume.Snapshot) bool { return t.Volume == index }) {
		s.taken = append(s.taken, volume.FailedSnapshots([]int{index}, why)...)
	}
}

func (s *unitSnapshot) complete(ctx context.Context) error {
	for _, t := range s.reservations {
		refused, err := t.CompleteTags(ctx)
		if err != nil {
			return err
		}
		for i := range s.taken {
			if why := refused[s.taken[i].Volume]; why != "" {
				s.taken[i].Failed = why
			}
		}
	}
	return nil
}

// result adds a reason for each volume without a snapshot.
func (s *unitSnapshot) result() backup.UnitResult {
	res := backup.UnitResult{Taken: s.taken, Hooks: s.quiescer.HookCounts(), Reasons: s.quiescer.AllReasons()}
	for _, t := range s.taken {
		if t.Failed != "" {
			res.Reasons = append(res.Reasons, s.run.Plan.Volumes.FailureReason(t.Volume, t.Failed))
		}
	}
	report.Sort(res.Reasons)
	res.Reasons = slices.Compact(res.Reasons)
	return res
}
