package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// unitResult is what SnapshotVolumes leaves in staging.
type unitResult struct {
	Taken   []taken             `json:"taken,omitempty"`
	Hooks   contract.HookCounts `json:"hooks,omitzero"`
	Reasons []report.Reason     `json:"reasons,omitempty"`
}

// takeUnit freezes the pods of a unit, takes the snapshots of its volumes and
// thaws the pods, whatever happens in between. It may repeat: snapshots are found
// again by tags and names, and pods that a lost attempt left frozen are thawed first.
// A volume that cannot be snapshotted is a reason in the result; an error is the
// cluster's, EC2's or the store's, and may pass.
func takeUnit(ctx context.Context, b *Backup, attempt int32, in contract.SnapshotVolumesInput) (contract.SnapshotResult, error) {
	o, err := b.open(ctx, in.Ref)
	if err != nil {
		return contract.SnapshotResult{}, err
	}
	var res unitResult
	err = o.stage.Get(ctx, repository.UnitSnapshotFile(in.Unit), &res)
	if errors.Is(err, store.ErrNotFound) {
		res, err = attemptUnit(ctx, b, o, in.Unit, attempt)
	}
	return res.summary(), err
}

func (r *unitResult) summary() contract.SnapshotResult {
	n := report.Tally(r.Reasons)
	out := contract.SnapshotResult{Warnings: n.Warnings, Errors: n.Errors}
	for _, t := range r.Taken {
		if t.Failed != "" {
			out.Failed++
		} else {
			out.Taken++
		}
	}
	return out
}

// unit is one attempt at a unit that has no result yet.
func attemptUnit(ctx context.Context, b *Backup, o *opened, unit int, attempt int32) (unitResult, error) {
	f, began := newFreezer(b, o, unit), time.Now()
	resumed, err := f.resume(ctx)
	if err != nil {
		return unitResult{}, err
	}
	paths, err := b.snapshotters(ctx, o)
	if err != nil {
		return unitResult{}, err
	}
	s := &shooting{o: o, unit: &o.plan.Volumes.Units[unit], freezer: f, barred: map[volume.Path]bool{}, attempt: attempt}
	defer s.release()
	if err := s.earlier(ctx, paths, began, resumed); err != nil {
		return unitResult{}, err
	}
	if f.spent() {
		s.giveUp()
	} else if err := s.shoot(ctx, paths, o.plan.shotOf(b.Config.Limits.PendingSnapshots, len(s.unit.Pods) > 0, f.last(), attempt)); err != nil {
		return unitResult{}, fmt.Errorf("snapshot unit %d: %w", unit, err)
	}
	res := s.result()
	return res, o.stage.Put(ctx, repository.UnitSnapshotFile(unit), &res)
}

// shooting takes the snapshots of one unit.
type shooting struct {
	o       *opened
	unit    *unitPlan
	freezer *freezer

	attempt int32                // at the unit, from 1
	barred  map[volume.Path]bool // not to be taken
	takers  []taker
	mu      sync.Mutex
	taken   []taken
}

// shoot waits for room, freezes, takes, thaws and completes.
func (s *shooting) shoot(ctx context.Context, paths map[volume.Path]snapshotter, how shot) error {
	if err := s.ready(ctx, paths, how); err != nil {
		return err
	}
	if err := s.frozen(ctx, how.last); err != nil {
		return err
	}
	return s.complete(ctx)
}

// giveUp is the end of a unit whose pods have been frozen often enough: an application
// must not be stopped again and again for a snapshot that does not come.
func (s *shooting) giveUp() {
	why := s.freezer.exhaustedText()
	for _, i := range s.unit.volumes() {
		s.fail(i, why)
	}
	if len(s.unit.volumes()) == 0 {
		s.freezer.failAllHooks()
	}
}

// ready prepares each path. What is refused for good is the volumes' failure and not
// the backup's: the objects are worth having without them.
func (s *shooting) ready(ctx context.Context, paths map[volume.Path]snapshotter, how shot) error {
	ctx, done := quota.KeepTurn(ctx) // both paths may reserve in one account
	defer done()
	groups := s.groups()
	for _, path := range []volume.Path{volume.Native, volume.CSI} {
		of := groups[path]
		if len(of) == 0 || s.barred[path] {
			continue
		}
		t, err := paths[path].ready(ctx, of, how)
		switch {
		case err == nil:
			s.takers = append(s.takers, t)
		case ctx.Err() == nil && (hopelessly(err) || errors.Is(err, errNoRoom)):
			s.taken = append(s.taken, failedVolumes(slices.Concat(of...), err.Error())...)
		default:
			return err
		}
	}
	return nil
}

func (s *shooting) release() {
	for _, t := range s.takers {
		t.release()
	}
}

// frozen freezes, takes and thaws. The pods are thawed also when the freeze or the
// snapshots fail, and when the backup is cancelled.
func (s *shooting) frozen(ctx context.Context, last bool) (err error) {
	defer func() { err = errors.Join(err, s.freezer.thaw(ctx, err)) }()
	stopped, err := s.freezer.freeze(ctx)
	if err != nil {
		return err
	}
	return s.take(ctx, s.without(stopped), last)
}

// take takes the snapshots of all paths. With pods frozen for the last time, what goes
// wrong is the volumes' failure, and what could be had is kept.
func (s *shooting) take(ctx context.Context, without map[int]bool, last bool) error {
	group, gctx := errgroup.WithContext(ctx)
	var inVain error
	for _, t := range s.takers {
		group.Go(func() error {
			got, err := t.take(gctx, without)
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
		for _, i := range s.unit.volumes() {
			s.fail(i, inVain.Error())
		}
	}
	return err
}

// without are the volumes of pods that could not be frozen: there is no snapshot of
// them, since it would be taken for a consistent one.
func (s *shooting) without(stopped map[string]string) map[int]bool {
	out := map[int]bool{}
	for _, pod := range s.unit.Pods {
		why, ok := stopped[kube.ObjectName(pod.Namespace, pod.Name)]
		if !ok {
			continue
		}
		for _, i := range s.unit.volumes() {
			v := &s.o.plan.Volumes.Volumes[i]
			if v.Namespace == pod.Namespace && slices.Contains(pod.Claims, v.Claim) && !out[i] {
				out[i] = true
				s.fail(i, fmt.Sprintf("pod %s was not frozen, so that no snapshot was taken: %s", pod.Name, why))
			}
		}
	}
	return out
}

// fail notes why there is no snapshot of a volume, unless that is known.
func (s *shooting) fail(volume int, why string) {
	if !slices.ContainsFunc(s.taken, func(t taken) bool { return t.Volume == volume }) {
		s.taken = append(s.taken, failedVolumes([]int{volume}, why)...)
	}
}

func (s *shooting) complete(ctx context.Context) error {
	for _, t := range s.takers {
		refused, err := t.complete(ctx)
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
func (s *shooting) result() unitResult {
	res := unitResult{Taken: s.taken, Hooks: s.freezer.hookCounts(), Reasons: s.freezer.said()}
	for _, t := range s.taken {
		if t.Failed != "" {
			res.Reasons = append(res.Reasons, s.o.plan.Volumes.failure(t.Volume, t.Failed))
		}
	}
	report.Sort(res.Reasons)
	res.Reasons = slices.Compact(res.Reasons)
	return res
}

// failure is the reason why a volume's data is not in the backup.
func (p *volumePlan) failure(i int, why string) report.Reason {
	v := &p.Volumes[i]
	r := report.New(report.SnapshotFailed, fmt.Sprintf("volume %s: %s", v.PV, why))
	if v.Claim == "" {
		return r.At(resource.PersistentVolumes, "", v.PV)
	}
	return r.At(resource.PersistentVolumeClaims, v.Namespace, v.Claim)
}
