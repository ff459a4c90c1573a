package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Check asks how far the snapshots are. It changes nothing.
func Check(ctx context.Context, b *backup.Service, in contract.CheckVolumesInput) (contract.VolumeStatus, error) {
	o, err := b.Open(ctx, in.Ref)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	units, err := o.UnitResults(ctx)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	drivers, err := b.Snapshotters(ctx, o)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	states, err := o.SnapshotStates(ctx, drivers, backup.AllSnapshots(units))
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	return statusOf(o, states), nil
}

// statusOf counts the snapshots by phase. A percentage of them all weighs each by its size.
func statusOf(o *backup.Run, states map[int]volume.Status) contract.VolumeStatus {
	var st contract.VolumeStatus
	var done, total int64
	for i, s := range states {
		size := max(o.Plan.Volumes.Volumes[i].Capacity>>20, 1) // MiB, so that 100 times the sum still fits into an int64
		switch s.Phase {
		case volume.StatusCompleted:
			st.Completed++
		case volume.StatusFailed:
			st.Failed++
			continue
		default:
			st.Pending++
		}
		total += size
		done += size * int64(s.Percent) / 100
	}
	if total > 0 {
		st.Percent = int(100 * done / total)
	}
	return st
}

// Finish settles which snapshots are complete, has these outlive the objects that stand for
// them, deletes the others, and writes the objects to a shard of their own. It may repeat. All
// attempts keep what the first one settled: one that was taken for dead, and saw less, deletes
// nothing that another has kept.
func Finish(ctx context.Context, b *backup.Service, p *heartbeat.Recorder, in contract.FinishVolumesInput) (contract.ShardResult, error) {
	o, err := b.Open(ctx, in.Ref)
	if err != nil {
		return contract.ShardResult{}, err
	}
	var final backup.FinalVolumes
	if err := o.Staging.Get(ctx, repository.FinalVolumesFile, &final); err == nil || !errors.Is(err, store.ErrNotFound) {
		return final.Shard, err
	}
	drivers, err := b.Snapshotters(ctx, o)
	if err != nil {
		return contract.ShardResult{}, err
	}
	f := &finisher{b: b, o: o, drivers: drivers}
	if err := f.finishVolumes(ctx, p, in.Shard); err != nil {
		return contract.ShardResult{}, fmt.Errorf("finish volumes: %w", err)
	}
	final = f.final
	err = repository.CreateStaged(ctx, o.Staging, repository.FinalVolumesFile, &final)
	return final.Shard, err
}

// finisher is one attempt at Finish.
type finisher struct {
	b       *backup.Service
	o       *backup.Run
	drivers volume.Drivers
	final   backup.FinalVolumes
	objects []volume.Object // those that stand for snapshots, to be stored
	reasons []report.Reason // reasons that no unit has given yet
}

// settlement is the document in staging that says which snapshots a backup keeps. It is there
// before one of the others is deleted.
type settlement struct {
	Final   backup.FinalVolumes `json:"final"`
	Objects []volume.Object     `json:"objects,omitempty"`
	Reasons []report.Reason     `json:"reasons,omitempty"`
}

// finishVolumes goes through the steps of Finish. Each may repeat.
func (f *finisher) finishVolumes(ctx context.Context, p *heartbeat.Recorder, shard int) error {
	if err := f.settle(ctx); err != nil {
		return err
	}
	if err := f.discardIncomplete(ctx); err != nil {
		return err
	}
	return f.storeObjects(ctx, p, shard)
}

// settle decides which snapshots are kept, unless an attempt before this one has. It fails in
// a run that has ended, whose settlement is gone as its plan is: this one would be of this
// attempt alone.
func (f *finisher) settle(ctx context.Context) error {
	var doc settlement
	err := f.o.Staging.Get(ctx, repository.SettledFile, &doc)
	if errors.Is(err, store.ErrNotFound) {
		if err := f.settleSnapshots(ctx); err != nil {
			return err
		}
		if err := f.retainCompleted(ctx); err != nil {
			return err
		}
		doc = settlement{Final: f.final, Objects: f.objects, Reasons: f.reasons}
		err = repository.CreateStaged(ctx, f.o.Staging, repository.SettledFile, &doc)
	}
	if err != nil {
		return err
	}
	f.final, f.objects, f.reasons = doc.Final, doc.Objects, doc.Reasons
	_, err = f.o.Staging.Store.Head(ctx, f.o.Staging.Key(repository.PlanFile))
	return err
}

// settleSnapshots collects the results of all units and asks one last time how their
// snapshots are. One that is not complete by now has failed.
func (f *finisher) settleSnapshots(ctx context.Context) error {
	units, err := f.o.UnitResults(ctx)
	if err != nil {
		return err
	}
	for _, u := range units {
		f.final.Hooks.Add(u.Hooks)
		f.final.Reasons = append(f.final.Reasons, u.Reasons...)
	}
	return f.settleStates(ctx, backup.AllSnapshots(units))
}

func (f *finisher) settleStates(ctx context.Context, all []volume.Snapshot) error {
	states, err := f.statesAgain(ctx, all)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b volume.Snapshot) int { return a.Volume - b.Volume })
	now := time.Now().UTC().Truncate(time.Second)
	for _, t := range all {
		e := volume.EndedSnapshot{Snapshot: t}
		switch st := states[t.Volume]; {
		case st.Phase == volume.StatusCompleted:
			e.Completed = &now
		case t.Failed == "":
			f.failSnapshot(&e, cmp.Or(st.Detail, "the snapshot was complete, and is not any more"))
		}
		f.final.Ended = append(f.final.Ended, e)
	}
	return nil
}

// settlePause lies between two looks at snapshots that are not complete any more.
const settlePause = 500 * time.Millisecond

// statesAgain asks how snapshots are that were all complete or failed a moment ago. An answer of
// EC2's may be older than the one before it: what is pending again is asked for again, not for
// ever.
func (f *finisher) statesAgain(ctx context.Context, all []volume.Snapshot) (map[int]volume.Status, error) {
	for end := time.Now().Add(quota.LookAgainFor); ; {
		states, err := f.o.SnapshotStates(ctx, f.drivers, all)
		pending := slices.ContainsFunc(slices.Collect(maps.Values(states)), func(s volume.Status) bool { return s.Phase == volume.StatusPending })
		if err != nil || !pending || time.Now().After(end) {
			return states, err
		}
		if err := poll.Wait(ctx, settlePause); err != nil {
			return nil, err
		}
	}
}

// failSnapshot fails a snapshot, and adds the reason to the result of the backup.
func (f *finisher) failSnapshot(e *volume.EndedSnapshot, why string) {
	e.Failed, e.Completed, e.CSI = why, nil, nil
	f.reasons = append(f.reasons, f.o.Plan.Volumes.FailureReason(e.Volume, why))
}

// retainCompleted has the complete snapshots outlive the objects that stand for them. It
// comes before discardIncomplete, because a snapshot that cannot be retained has failed and
// is deleted.
func (f *finisher) retainCompleted(ctx context.Context) error {
	completed := map[volume.Method][]volume.Snapshot{}
	for _, e := range f.final.Ended {
		if e.Failed == "" {
			method := f.o.Plan.Volumes.Volumes[e.Volume].Method
			completed[method] = append(completed[method], e.Snapshot)
		}
	}
	for _, d := range f.drivers {
		if len(completed[d.Method]) == 0 {
			continue
		}
		r, err := d.Retain(ctx, completed[d.Method])
		if err != nil {
			return err
		}
		f.recordRetention(r)
	}
	return nil
}

// recordRetention takes over what a driver says of the snapshots that it retained.
func (f *finisher) recordRetention(r volume.Retention) {
	for i := range f.final.Ended {
		e := &f.final.Ended[i]
		if info := r.Infos[e.Volume]; info != nil {
			e.CSI = info
		}
		if why := r.Failed[e.Volume]; why != "" {
			f.failSnapshot(e, why)
		}
	}
	f.objects = append(f.objects, r.Objects...)
	if r.Untagged != "" {
		f.reasons = append(f.reasons, report.New(report.SnapshotUntagged, r.Untagged))
	}
}

// discardIncomplete deletes the snapshots that are not complete, and those that a repeated
// attempt may have made twice. A refusal to delete them is a reason in the result: it must
// not cost the backup.
func (f *finisher) discardIncomplete(ctx context.Context) error {
	keep := map[int]bool{}
	var all []volume.Snapshot
	for _, e := range f.final.Ended {
		all = append(all, e.Snapshot)
		if e.Failed == "" {
			keep[e.Volume] = true
		}
	}
	for _, d := range f.drivers {
		err := d.Discard(ctx, all, keep)
		switch {
		case err == nil:
		case ctx.Err() == nil && d.IsPermanent(err):
			f.reasons = append(f.reasons, report.New(report.SnapshotLeft, err.Error()))
		default:
			return err
		}
	}
	return nil
}

// storeObjects writes the objects that stand for snapshots, and the new reasons, as one more
// shard of the archive.
func (f *finisher) storeObjects(ctx context.Context, p *heartbeat.Recorder, shard int) error {
	w := backup.NewShardWriter(ctx, f.o, p, shard)
	if err := f.addObjects(w); err != nil {
		return err
	}
	for _, r := range f.reasons {
		w.Notes.AddReason(r)
	}
	if err := w.Close(ctx); err != nil {
		return err
	}
	f.final.Shard = w.Result
	return nil
}

// addObjects adds the objects that stand for snapshots to the archive and to the lists that
// become files beside the tarball.
func (f *finisher) addObjects(w *backup.ShardWriter) error {
	for _, o := range f.objects {
		if err := w.Writer.Add(o.Key, o.Body); err != nil {
			return fmt.Errorf("store %s: %w", resource.ObjectName(o.Key.Namespace, o.Key.Name), err)
		}
		switch o.Key.Resource {
		case resource.VolumeSnapshots:
			f.final.Snapshots = append(f.final.Snapshots, o.Body)
		case resource.VolumeSnapshotContents:
			f.final.Contents = append(f.final.Contents, o.Body)
		default:
			f.final.Classes = append(f.final.Classes, o.Body)
		}
	}
	return nil
}
