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
	f := &finisher{b: b, o: o, drivers: drivers, final: &final}
	err = f.settle(ctx)
	if err == nil {
		err = f.retain(ctx)
	}
	if err == nil {
		err = f.discard(ctx)
	}
	if err == nil {
		err = f.store(ctx, p, in.Shard)
	}
	if err != nil {
		return contract.ShardResult{}, fmt.Errorf("finish volumes: %w", err)
	}
	return final.Shard, o.Staging.Put(ctx, repository.FinalVolumesFile, &final)
}

// finisher is one attempt.
type finisher struct {
	b       *backup.Service
	o       *backup.Run
	drivers volume.Drivers
	final   *backup.FinalVolumes
	objects []volume.Object // of snapshots, to be stored
	reasons []report.Reason // new ones
}

// settle asks one last time how the snapshots are.
func (f *finisher) settle(ctx context.Context) error {
	units, err := f.o.UnitResults(ctx)
	if err != nil {
		return err
	}
	for _, u := range units {
		f.final.Hooks.Add(u.Hooks)
		f.final.Reasons = append(f.final.Reasons, u.Reasons...)
	}
	all := backup.AllSnapshots(units)
	states, err := f.o.SnapshotStates(ctx, f.drivers, all)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b volume.Snapshot) int { return a.Volume - b.Volume })
	now := time.Now().UTC().Truncate(time.Second)
	for _, t := range all {
		e := volume.EndedSnapshot{Snapshot: t}
		st := states[t.Volume]
		switch {
		case st.Phase == volume.StatusCompleted:
			e.Completed = &now
		case t.Failed == "":
			f.fail(&e, st.Detail)
		}
		f.final.Ended = append(f.final.Ended, e)
	}
	return nil
}

func (f *finisher) fail(e *volume.EndedSnapshot, why string) {
	e.Failed, e.Completed, e.CSI = why, nil, nil
	f.reasons = append(f.reasons, f.o.Plan.Volumes.FailureReason(e.Volume, why))
}

// retain comes before discard: what cannot be retained is discarded.
func (f *finisher) retain(ctx context.Context) error {
	completed := map[volume.Path][]volume.Snapshot{}
	for _, e := range f.final.Ended {
		if e.Failed == "" {
			method := f.o.Plan.Volumes.Volumes[e.Volume].Path
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
		f.record(r)
	}
	return nil
}

// record notes what came of retaining the snapshots of one technology.
func (f *finisher) record(r volume.Retention) {
	for i := range f.final.Ended {
		e := &f.final.Ended[i]
		if info := r.Infos[e.Volume]; info != nil {
			e.CSI = info
		}
		if why := r.Failed[e.Volume]; why != "" {
			f.fail(e, why)
		}
	}
	f.objects = append(f.objects, r.Objects...)
}

// discard deletes what is not complete, and what a repeated attempt may have made
// twice. That it may not is no reason to lose the backup.
func (f *finisher) discard(ctx context.Context) error {
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
		case ctx.Err() == nil && backup.IsPermanent(err):
			f.reasons = append(f.reasons, report.New(report.SnapshotLeft, err.Error()))
		default:
			return err
		}
	}
	return nil
}

// store writes the objects of CSI snapshots as one more shard.
func (f *finisher) store(ctx context.Context, p *heartbeat.Recorder, shard int) error {
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

// addObjects writes the objects of snapshots, and notes them for the files beside the
// tarball.
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
