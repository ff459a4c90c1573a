package catalog

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/estimate"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// volumesPerMinute is how many volumes EC2 makes of snapshots in an account and Region: its
// requests are refilled at five a second.
const volumesPerMinute = 300

// estimateRestore predicts how long a restore of a backup takes, from the restores and drills that
// the storage locations record.
func (c *Reader) estimateRestore(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	found, unread, err := c.findBackup(ctx, in)
	if err != nil {
		return contract.ReadResult{}, err
	}
	size, err := sizeOfBackup(ctx, found.Store, found.Value)
	if err != nil {
		return contract.ReadResult{}, err
	}
	history, err := c.pastRuns(ctx)
	if err != nil {
		return contract.ReadResult{}, err
	}
	e := estimate.Predict(history, size, estimate.Quota{VolumesPerMinute: volumesPerMinute})
	return contract.ReadResult{Unread: unread, Estimate: &contract.RestoreEstimate{
		Backup: in.Name, Location: found.Location.Name, Objects: size.Objects, Volumes: size.Volumes, Bytes: size.Bytes,
		Expected: e.Expected, Low: e.Low, High: e.High, Runs: e.Runs, Beyond: e.Beyond,
	}}, nil
}

// sizeOfBackup is how much a restore of all of it brings back.
func sizeOfBackup(ctx context.Context, st store.Store, doc *velerov1.Backup) (estimate.Size, error) {
	files := layout.Backup{Name: doc.Name}
	manifest, err := fillDetails(ctx, st, files, &contract.Details{})
	if err != nil {
		return estimate.Size{}, err
	}
	volumes, err := allVolumes(ctx, st, manifest, files)
	size := sizeOfVolumes(volumes)
	if p := doc.Status.Progress; p != nil {
		size.Objects = int64(p.ItemsBackedUp)
	}
	return size, err
}

// sizeOfVolumes counts those with data.
func sizeOfVolumes(volumes []contract.VolumeSummary) (size estimate.Size) {
	for i := range volumes {
		if v := &volumes[i]; v.Method != "" && !v.Skipped && v.Result != string(volume.Failed) {
			size.Volumes++
			size.Bytes += v.Bytes
		}
	}
	return size
}

// enoughRestores is how many restores tell enough without drills. A drill reads each byte, and
// compares each object, before it goes on: it takes longer than the restore that it stands for.
const enoughRestores = 10

// pastRuns are the last restores that are Completed, of all storage locations, the last one last,
// and where there are few the last drills as well.
func (c *Reader) pastRuns(ctx context.Context) ([]estimate.Run, error) {
	rows, err := c.askRuns(ctx, "restores", readRuns)
	if err != nil {
		return nil, err
	}
	if len(rows) < enoughRestores {
		drilled, err := c.askRuns(ctx, "drills", c.readDrillRuns)
		if err != nil {
			return nil, err
		}
		rows = append(rows, drilled...)
	}
	slices.SortFunc(rows, func(a, b datedRun) int { return cmp.Compare(a.started, b.started) })
	runs := make([]estimate.Run, len(rows))
	for i := range rows {
		runs[i] = rows[i].Run
	}
	return runs, nil
}

func (c *Reader) askRuns(ctx context.Context, what string, read func(context.Context, store.Store) ([]datedRun, error)) ([]datedRun, error) {
	all, err := repository.AskAll(ctx, c.Locations, "", repository.ListTimeout, func(ctx context.Context, a repository.Answer[[]datedRun]) ([]datedRun, error) {
		return read(ctx, a.Store)
	})
	if err != nil {
		return nil, err
	}
	rows, _, err := repository.JoinRows(all, what)
	return rows, err
}

// readDrillRuns reads the last drills of a location of which nothing was lost.
func (c *Reader) readDrillRuns(ctx context.Context, st store.Store) ([]datedRun, error) {
	runs, err := drills.List(ctx, st, c.Config.Cluster, drillsInAnswer, runOfDrill)
	return slices.DeleteFunc(runs, func(r datedRun) bool { return r.Took <= 0 }), err
}

// runOfDrill is a drill as the restore that it began with: up to the end of its objects. One that
// did not come so far, or has lost objects, took no time.
func runOfDrill(f *drills.File) datedRun {
	p := &f.Evidence.Statement.Predicate
	i := slices.IndexFunc(p.Measured.Phases, func(phase evidence.Phase) bool { return phase.Name == evidence.PhaseObjects })
	if i < 0 || p.Claim.Level.Rank() < evidence.L2.Rank() {
		return datedRun{}
	}
	size := estimate.Size{Objects: int64(p.Objects.Equal + p.Objects.Changed), Volumes: int64(len(p.Source.Snapshots)), Bytes: int64(p.Measured.Bytes)}
	return datedRun{estimate.Run{Size: size, Took: p.Measured.Phases[i].Finished.Since(p.Drill.Asked).Duration()}, p.Drill.Asked.Time().UnixNano()}
}

// datedRun is a restore or drill of the past, with when it began.
type datedRun struct {
	estimate.Run
	started int64
}

// readRuns reads the last restores of a location that are Completed, and how much each brought
// back. A volume's size is that of its snapshot's volume; restores of old do not tell it.
func readRuns(ctx context.Context, st store.Store) ([]datedRun, error) {
	names, err := st.Dirs(ctx, layout.RestoresDir)
	if err != nil {
		return nil, err
	}
	read, err := repository.ReadDocuments(ctx, st, names, repository.RestoreDocumentKey, func(string) *velerov1.Restore { return nil })
	if err != nil {
		return nil, err
	}
	docs := slices.DeleteFunc(slices.Collect(maps.Values(read)), func(d *velerov1.Restore) bool { return !isMeasured(d) })
	slices.SortFunc(docs, func(a, b *velerov1.Restore) int {
		return a.Status.StartTimestamp.Compare(b.Status.StartTimestamp.Time)
	})
	docs = docs[max(0, len(docs)-estimate.MostRuns):]
	runs := make([]datedRun, len(docs))
	const readAtOnce = 8
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readAtOnce)
	for i, d := range docs {
		group.Go(func() error {
			volumes, _, err := restoredVolumes(ctx, st, layout.Restore{Name: d.Name})
			runs[i] = datedRun{estimate.Run{Size: sizeOfVolumes(volumes), Took: durationOf(d)}, d.Status.StartTimestamp.UnixNano()}
			runs[i].Objects = int64(d.Status.Progress.ItemsRestored)
			return err
		})
	}
	return runs, group.Wait()
}

// isMeasured reports whether a restore says how long a whole one takes.
func isMeasured(d *velerov1.Restore) bool {
	return d != nil && d.Status.Phase == velerov1.RestorePhaseCompleted && d.Status.Progress != nil && d.Status.Progress.ItemsRestored > 0 &&
		d.Status.StartTimestamp != nil && d.Status.CompletionTimestamp != nil && durationOf(d) > 0
}

// durationOf is how long a restore took, by its times where it does not say so itself: those of old
// do not.
func durationOf(d *velerov1.Restore) time.Duration {
	if took, err := time.ParseDuration(d.Annotations[repository.AnnotationDuration]); err == nil {
		return took
	}
	return d.Status.CompletionTimestamp.Sub(d.Status.StartTimestamp.Time)
}
