package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Finish settles which snapshots are complete, deletes the others, keeps the
// CSI ones when their objects will go, and writes those objects to a shard of their
// own. It may repeat.
func Finish(ctx context.Context, service *backup.Service, recorder *heartbeat.Recorder, in contract.FinishVolumesInput) (contract.ShardResult, error) {
	run, err := service.Open(ctx, in.Ref)
	if err != nil {
		return contract.ShardResult{}, err
	}
	var final backup.FinalVolumes
	if err := run.Staging.Get(ctx, repository.FinalVolumesFile, &final); err == nil || !errors.Is(err, store.ErrNotFound) {
		return final.Shard, err
	}
	paths, err := service.Snapshotters(ctx, run)
	if err != nil {
		return contract.ShardResult{}, err
	}
	f := &finisher{service: service, run: run, paths: paths, final: &final}
	err = f.settleSnapshots(ctx)
	if err == nil {
		err = f.retainSnapshots(ctx)
	}
	if err == nil {
		err = f.discardSnapshots(ctx)
	}
	if err == nil {
		err = f.storeObjects(ctx, recorder, in.Shard)
	}
	if err != nil {
		return contract.ShardResult{}, fmt.Errorf("finish volumes: %w", err)
	}
	return final.Shard, run.Staging.Put(ctx, repository.FinalVolumesFile, &final)
}

// finisher is one attempt.
type finisher struct {
	service *backup.Service
	run     *backup.Run
	paths   map[volume.Path]volume.Snapshotter
	final   *backup.FinalVolumes
	objects []volume.Object // of snapshots, to be stored
	reasons []report.Reason // new ones
}

// settleSnapshots asks one last time how the snapshots are.
func (f *finisher) settleSnapshots(ctx context.Context) error {
	units, err := f.run.UnitResults(ctx)
	if err != nil {
		return err
	}
	for _, u := range units {
		f.final.Hooks.Add(u.Hooks)
		f.final.Reasons = append(f.final.Reasons, u.Reasons...)
	}
	all := backup.AllSnapshots(units)
	states, err := f.run.SnapshotStates(ctx, f.paths, all)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b volume.Snapshot) int { return a.Volume - b.Volume })
	now := time.Now().UTC().Truncate(time.Second)
	for _, t := range all {
		e := backup.EndedSnapshot{Snapshot: t}
		st := states[t.Volume]
		switch {
		case st.Phase == volume.StatusCompleted:
			e.Completed = &now
		case t.Failed == "":
			f.recordFailure(&e, st.Detail)
		}
		f.final.Ended = append(f.final.Ended, e)
	}
	return nil
}

func (f *finisher) recordFailure(e *backup.EndedSnapshot, why string) {
	e.Failed, e.Completed, e.CSI = why, nil, nil
	f.reasons = append(f.reasons, f.run.Plan.Volumes.FailureReason(e.Volume, why))
}

// retainSnapshots comes before discard: what cannot be retained is discarded.
func (f *finisher) retainSnapshots(ctx context.Context) error {
	byPath := map[volume.Path][]volume.Snapshot{}
	for _, e := range f.final.Ended {
		if e.Failed == "" {
			path := f.run.Plan.Volumes.Volumes[e.Volume].Path
			byPath[path] = append(byPath[path], e.Snapshot)
		}
	}
	for path, completed := range byPath {
		r, err := f.paths[path].Retain(ctx, completed)
		if err != nil {
			return err
		}
		f.recordRetention(r)
	}
	return nil
}

// recordRetention notes what came of retaining the snapshots of one path.
func (f *finisher) recordRetention(r volume.Retention) {
	for i := range f.final.Ended {
		e := &f.final.Ended[i]
		if info := r.Infos[e.Volume]; info != nil {
			e.CSI = info
		}
		if why := r.Failed[e.Volume]; why != "" {
			f.recordFailure(e, why)
		}
	}
	f.objects = append(f.objects, r.Objects...)
}

// discardSnapshots deletes what is not complete, and what a repeated attempt may have made
// twice. That it may not is no reason to lose the backup.
func (f *finisher) discardSnapshots(ctx context.Context) error {
	keep := map[int]bool{}
	var all []volume.Snapshot
	for _, e := range f.final.Ended {
		all = append(all, e.Snapshot)
		if e.Failed == "" {
			keep[e.Volume] = true
		}
	}
	for _, s := range f.paths {
		err := s.Discard(ctx, all, keep)
		switch {
		case err == nil:
		case ctx.Err() == nil && backup.IsPermanent(err):
			f.reasons = append(f.reasons, report.New(report.SnapshotLeft, err.Error()))
		default:
			return err
		}
	}
	return nil
}

// storeObjects writes the objects of CSI snapshots as one more shard.
func (f *finisher) storeObjects(ctx context.Context, recorder *heartbeat.Recorder, shard int) error {
	w := backup.NewShardWriter(ctx, f.run, recorder, shard)
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

// addObjects writes the objects of snapshots, and notes them for the files beside the
// tarball.
func (f *finisher) addObjects(w *backup.ShardWriter) error {
	for _, object := range f.objects {
		if err := w.Writer.Add(object.Key, object.Body); err != nil {
			return fmt.Errorf("store %s: %w", resource.ObjectName(object.Key.Namespace, object.Key.Name), err)
		}
		switch object.Key.Resource {
		case resource.VolumeSnapshots:
			f.final.Snapshots = append(f.final.Snapshots, object.Body)
		case resource.VolumeSnapshotContents:
			f.final.Contents = append(f.final.Contents, object.Body)
		default:
			f.final.Classes = append(f.final.Classes, object.Body)
		}
	}
	return nil
}

// Check looks how far the snapshots are. It changes nothing.
func Check(ctx context.Context, service *backup.Service, in contract.CheckVolumesInput) (contract.VolumeStatus, error) {
	run, err := service.Open(ctx, in.Ref)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	units, err := run.UnitResults(ctx)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	paths, err := service.Snapshotters(ctx, run)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	states, err := run.SnapshotStates(ctx, paths, backup.AllSnapshots(units))
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	return statusOf(run, states), nil
}

func statusOf(run *backup.Run, states map[int]volume.Status) contract.VolumeStatus {
	var st contract.VolumeStatus
	var done, all int64
	for i, s := range states {
		size := max(run.Plan.Volumes.Volumes[i].Capacity>>20, 1) // MiB: 100 times as many still fit
		switch s.Phase {
		case volume.StatusCompleted:
			st.Completed++
		case volume.StatusFailed:
			st.Failed++
			continue
		default:
			st.Pending++
		}
		all += size
		done += size * int64(s.Percent) / 100
	}
	if all > 0 {
		st.Percent = int(100 * done / all)
	}
	return st
}
