package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// finalVolumes is the end of all volumes of a backup.
type finalVolumes struct {
	Ended   []ended              `json:"ended,omitempty"`
	Hooks   contract.HookCounts  `json:"hooks,omitzero"`
	Reasons []report.Reason      `json:"reasons,omitempty"` // those of the units too
	Shard   contract.ShardResult `json:"shard"`

	// The VolumeSnapshots, contents and classes, for the files beside the tarball.
	Snapshots []json.RawMessage `json:"snapshots,omitempty"`
	Contents  []json.RawMessage `json:"contents,omitempty"`
	Classes   []json.RawMessage `json:"classes,omitempty"`
}

// ended is a volume whose snapshot was asked for.
type ended struct {
	taken
	Completed *time.Time      `json:"completed,omitempty"` // nil: it failed
	CSI       *volume.CSIInfo `json:"csi,omitempty"`
}

// finishSnapshots settles which snapshots are complete, deletes the others, keeps the
// CSI ones when their objects will go, and writes those objects to a shard of their
// own. It may repeat.
func finishSnapshots(ctx context.Context, b *Backup, p *heartbeat.Recorder, in contract.FinishVolumesInput) (contract.ShardResult, error) {
	o, err := b.open(ctx, in.Ref)
	if err != nil {
		return contract.ShardResult{}, err
	}
	var final finalVolumes
	if err := o.stage.Get(ctx, repository.FinalVolumesFile, &final); err == nil || !errors.Is(err, store.ErrNotFound) {
		return final.Shard, err
	}
	paths, err := b.snapshotters(ctx, o)
	if err != nil {
		return contract.ShardResult{}, err
	}
	f := &finish{b: b, o: o, paths: paths, final: &final}
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
	return final.Shard, o.stage.Put(ctx, repository.FinalVolumesFile, &final)
}

// finish is one attempt.
type finish struct {
	b       *Backup
	o       *opened
	paths   map[volume.Path]snapshotter
	final   *finalVolumes
	objects []retained      // of snapshots, to be stored
	reasons []report.Reason // new ones
}

// settle asks one last time how the snapshots are.
func (f *finish) settle(ctx context.Context) error {
	units, err := f.o.units(ctx)
	if err != nil {
		return err
	}
	for _, u := range units {
		f.final.Hooks.Add(u.Hooks)
		f.final.Reasons = append(f.final.Reasons, u.Reasons...)
	}
	all := allTaken(units)
	states, err := f.o.states(ctx, f.paths, all)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b taken) int { return a.Volume - b.Volume })
	now := time.Now().UTC().Truncate(time.Second)
	for _, t := range all {
		e := ended{taken: t}
		st := states[t.Volume]
		switch {
		case st.Phase == snapshotCompleted:
			e.Completed = &now
		case t.Failed == "":
			f.fail(&e, st.Detail)
		}
		f.final.Ended = append(f.final.Ended, e)
	}
	return nil
}

func (f *finish) fail(e *ended, why string) {
	e.Failed, e.Completed, e.CSI = why, nil, nil
	f.reasons = append(f.reasons, f.o.plan.Volumes.failure(e.Volume, why))
}

// retain comes before discard: what cannot be retained is discarded.
func (f *finish) retain(ctx context.Context) error {
	byPath := map[volume.Path][]taken{}
	for _, e := range f.final.Ended {
		if e.Failed == "" {
			path := f.o.plan.Volumes.Volumes[e.Volume].Path
			byPath[path] = append(byPath[path], e.taken)
		}
	}
	for path, completed := range byPath {
		r, err := f.paths[path].retain(ctx, completed)
		if err != nil {
			return err
		}
		f.record(r)
	}
	return nil
}

// record notes what came of retaining the snapshots of one path.
func (f *finish) record(r retention) {
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
func (f *finish) discard(ctx context.Context) error {
	keep := map[int]bool{}
	var all []taken
	for _, e := range f.final.Ended {
		all = append(all, e.taken)
		if e.Failed == "" {
			keep[e.Volume] = true
		}
	}
	for _, s := range f.paths {
		err := s.discard(ctx, all, keep)
		switch {
		case err == nil:
		case ctx.Err() == nil && hopelessly(err):
			f.reasons = append(f.reasons, report.New(report.SnapshotLeft, err.Error()))
		default:
			return err
		}
	}
	return nil
}

// store writes the objects of CSI snapshots as one more shard.
func (f *finish) store(ctx context.Context, p *heartbeat.Recorder, shard int) error {
	w := newShardWriter(ctx, f.o, p, shard)
	if err := f.addObjects(w); err != nil {
		return err
	}
	for _, r := range f.reasons {
		w.note.reason(r)
	}
	if err := w.close(ctx); err != nil {
		return err
	}
	f.final.Shard = w.result
	return nil
}

// addObjects writes the objects of snapshots, and notes them for the files beside the
// tarball.
func (f *finish) addObjects(w *shardWriter) error {
	for _, o := range f.objects {
		if err := w.w.Add(o.Key, o.Body); err != nil {
			return fmt.Errorf("store %s: %w", kube.ObjectName(o.Key.Namespace, o.Key.Name), err)
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
