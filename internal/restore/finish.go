package restore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// differs says how an outcome departs from what the dry run said, or "".
func differs(planned, actual Record) string {
	want := map[string]string{
		PlanCreate: string(report.Created), PlanUpdate: string(report.Updated),
		PlanSkip: string(report.Skipped), PlanNone: string(report.Skipped), PlanFail: string(report.Failed),
	}[planned.Action]
	switch {
	case want == "" || want == actual.Action && planned.Live == actual.Live:
		return ""
	case want != actual.Action:
		return "the plan said " + planned.Action + ", the object was " + actual.Action
	}
	return "the object in the cluster changed between the plan and the restore"
}

// Finish writes the results of a restore, or the plan of a dry run. It may repeat.
// The document comes last: a restore with it is whole.
func (r *Service) Finish(ctx context.Context, in contract.FinishRestoreInput) (contract.RestoreResult, error) {
	s, err := r.Planned(ctx, in.Archive.Ref)
	if err != nil {
		return contract.RestoreResult{}, err
	}
	if err := errors.Join(s.ReadDisks(ctx), s.readClaims(ctx)); err != nil {
		return contract.RestoreResult{}, err
	}
	f, err := s.fold(ctx)
	if err != nil {
		return contract.RestoreResult{}, err
	}
	if !in.Restore.DryRun {
		in.Volumes = s.RestoredCount()
	}
	doc := restoreResource(s, in, f)
	if err := f.write(ctx, s, in); err != nil {
		return contract.RestoreResult{}, err
	}
	if in.Restore.DryRun {
		return restoreResult(doc, in, f), nil
	}
	err = repository.PutDocument(ctx, s.St, repository.RestoreDocumentKey(in.Restore.Name), doc)
	if err != nil && !errors.Is(err, store.ErrExists) {
		return contract.RestoreResult{}, err
	}
	return restoreResult(doc, in, f), nil
}

// folded is a restore's records, summed up.
type folded struct {
	reasons []report.Reason
	list    report.ResourceList
	hooks   contract.HookCounts
	plan    bytes.Buffer // gzip JSON lines, of a dry run
}

func (s *Run) fold(ctx context.Context) (*folded, error) {
	f := &folded{list: report.ResourceList{}}
	f.reasons = append(append(f.reasons, s.Reasons...), s.Plan.Reasons...)
	planned, err := s.planOf(ctx)
	if err != nil {
		return nil, err
	}
	zw := gzip.NewWriter(&f.plan)
	lines := json.NewEncoder(zw)
	err = s.Records(ctx, func(rec Record) error {
		f.reasons = append(f.reasons, rec.Reasons...)
		f.countHooks(rec)
		s.NoteAction(rec)
		if rec.Kind == "" {
			return nil
		}
		if s.Restore.DryRun {
			return lines.Encode(rec)
		}
		f.list.AddRestored(rec.APIVersion, rec.Kind, rec.Namespace, rec.Name, report.Action(rec.Action))
		if p, ok := planned[planKey(rec)]; ok {
			if what := differs(p, rec); what != "" {
				f.reasons = append(f.reasons, report.New(report.PlanChanged, what).At(rec.Resource, rec.Namespace, rec.Name))
			}
			delete(planned, planKey(rec))
		}
		return nil
	})
	for _, p := range planned {
		f.reasons = append(f.reasons, report.New(report.PlanChanged, "was in the plan and not in this restore").At(p.Resource, p.Namespace, p.Name))
	}
	f.list.Sort()
	report.Sort(f.reasons)
	return f, errors.Join(err, zw.Close())
}

func planKey(r Record) string { return r.Resource + " " + resource.ObjectName(r.Namespace, r.Name) }

// planOf reads the dry run that this restore has to agree with, if it names one.
func (s *Run) planOf(ctx context.Context) (out map[string]Record, err error) {
	if s.Restore.Plan == "" || s.Restore.DryRun {
		return nil, nil
	}
	body, _, err := s.St.Get(ctx, archive.PlanKey(s.Restore.Plan))
	if errors.Is(err, store.ErrNotFound) {
		return nil, failure.NotFound("plan: no dry run %q in the location of the backup", s.Restore.Plan)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	zr, err := gzip.NewReader(body)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w: %w", s.Restore.Plan, archive.ErrCorrupt, err)
	}
	out = map[string]Record{}
	for dec := json.NewDecoder(io.LimitReader(zr, repository.MaxDocument)); dec.More(); {
		var rec Record
		if err := dec.Decode(&rec); err != nil {
			return nil, fmt.Errorf("plan %s: %w: %w", s.Restore.Plan, archive.ErrCorrupt, err)
		}
		rec.Diff = nil
		out[planKey(rec)] = rec
	}
	return out, nil
}

// write puts Velero's files (docs/VELERO.md 2.3), or the plan.
func (f *folded) write(ctx context.Context, s *Run, in contract.FinishRestoreInput) error {
	if s.Restore.DryRun {
		return s.St.Put(ctx, archive.PlanKey(s.Restore.Name), f.plan.Bytes(), store.PutOptions{ContentType: "application/gzip"})
	}
	l := archive.RestoreLayout{Restore: s.Restore.Name}
	for key, doc := range map[string]any{
		l.Results():        report.FromReasons(f.reasons),
		l.ResourceList():   f.list,
		l.ItemOperations(): []any{},
		l.VolumeInfo():     s.restoreInfos(),
	} {
		if _, err := repository.PutGzipJSON(ctx, s.St, key, doc); err != nil {
			return err
		}
	}
	log := report.NewLog(0, slog.LevelInfo)
	report.LogEvent(log, s.Run.Started, "restore started", "restore", s.Restore.Name, "backup", s.Archive.Backup, "uid", s.UID, "workflow", s.Run.WorkflowID)
	for _, level := range s.Plan.Plan.Levels {
		report.LogEvent(log, s.Run.Started, "planned", "level", level.Name, "tasks", len(level.Tasks), "objects", level.Objects)
	}
	s.logVolumes(log, in.Completed)
	if f.hooks.Attempted > 0 {
		report.LogEvent(log, in.Completed, "hooks ran", "attempted", f.hooks.Attempted, "failed", f.hooks.Failed)
	}
	log.Reasons(in.Completed, f.reasons)
	report.LogEvent(log, in.Completed, "restore finished", "created", in.Counts.Created, "updated", in.Counts.Updated, "skipped", in.Counts.Skipped, "failed", in.Counts.Failed)
	var buf bytes.Buffer
	if err := log.Gzip(&buf); err != nil {
		return fmt.Errorf("compress log: %w", err)
	}
	_, err := repository.PutGzipFile(ctx, s.St, l.Logs(), buf.Bytes())
	return err
}

func restoreResource(s *Run, in contract.FinishRestoreInput, f *folded) *velerov1.Restore {
	n := report.Tally(f.reasons)
	spec := s.Restore.Spec
	spec.BackupName = s.Archive.Backup
	return &velerov1.Restore{
		TypeMeta: metav1.TypeMeta{APIVersion: velerov1.SchemeGroupVersion.String(), Kind: "Restore"},
		ObjectMeta: metav1.ObjectMeta{
			Name: s.Restore.Name, Namespace: repository.VeleroNamespace, UID: types.UID(s.UID),
			CreationTimestamp: metav1.NewTime(s.Run.Started.Truncate(time.Second)),
			Labels:            s.Restore.Labels,
			Annotations:       resource.MergeLabels(s.Restore.Annotations, map[string]string{repository.AnnotationWorkflow: s.Run.WorkflowID}),
		},
		Spec: spec,
		Status: velerov1.RestoreStatus{
			Phase:               velerov1.RestorePhase(report.PhaseOf(f.reasons)),
			StartTimestamp:      &metav1.Time{Time: s.Run.Started},
			CompletionTimestamp: &metav1.Time{Time: in.Completed},
			Warnings:            n.Warnings, Errors: n.Errors,
			Progress:   &velerov1.RestoreProgress{TotalItems: s.Plan.Plan.Objects, ItemsRestored: int(in.Counts.Total())},
			HookStatus: f.hookStatus(),
		},
	}
}

func restoreResult(doc *velerov1.Restore, in contract.FinishRestoreInput, f *folded) contract.RestoreResult {
	res := contract.RestoreResult{
		Name: doc.Name, UID: string(doc.UID), Backup: in.Archive.Backup, Phase: string(doc.Status.Phase), DryRun: in.Restore.DryRun,
		Started: doc.Status.StartTimestamp.Time, Completed: doc.Status.CompletionTimestamp.Time,
		Counts: in.Counts, Volumes: in.Volumes, Hooks: f.hooks, Warnings: doc.Status.Warnings, Errors: doc.Status.Errors,
		Location: in.Archive.Ref.Location,
	}
	for _, r := range f.reasons[:min(len(f.reasons), report.ReasonsInResult)] {
		res.Reasons = append(res.Reasons, r.String())
	}
	return res
}

// sweeper deletes what a restore made for volumes and nothing uses, as its staging tells.
type sweeper func(ctx context.Context, stage repository.Staging, ref contract.RestoreRef) error

// Abandon clears the staging of a restore that has ended, in whatever way. Objects that
// it created stay, as with Velero; disks that none of them uses are deleted first,
// because staging tells where they are. A restore that ended before it was known where
// its backup lies may have left files in any location. It may repeat.
func (r *Service) Abandon(ctx context.Context, in contract.AbandonRestoreInput, sweep sweeper) (contract.Nothing, error) {
	r.opened.Drop(in.Ref.UID)
	named, err := r.Locations.Named(in.Ref.Location)
	if failure.TypeOf(err) != "" {
		return contract.Nothing{}, nil // an unknown location holds nothing of ours
	}
	for _, bsl := range named {
		err = errors.Join(err, r.clear(ctx, bsl, in.Ref, sweep))
	}
	return contract.Nothing{}, err
}

// clear removes what a restore from a location has left where it worked.
func (r *Service) clear(ctx context.Context, from *velerov1.BackupStorageLocation, ref contract.RestoreRef, sweep sweeper) error {
	_, st, err := r.Locations.Workspace(ctx, from)
	if err == nil {
		stage := repository.NewStaging(st, ref.UID)
		if ref.Location != "" { // else it was never planned
			if err := sweep(ctx, stage, ref); err != nil {
				return err
			}
		}
		err = stage.Clear(ctx)
	}
	if failure.TypeOf(err) != "" {
		return nil // a location we cannot write to holds nothing of ours
	}
	return err
}

// countHooks adds up what ran, or in a dry run what would.
func (f *folded) countHooks(rec Record) {
	switch {
	case rec.Ran != nil:
		f.hooks.Add(*rec.Ran)
	case rec.Action == PlanCreate:
		f.hooks.Attempted += rec.Hooks
	}
}

// hookStatus is Velero's; nil when there are no hooks.
func (f *folded) hookStatus() *velerov1.HookStatus {
	if f.hooks == (contract.HookCounts{}) {
		return nil
	}
	return &velerov1.HookStatus{HooksAttempted: f.hooks.Attempted, HooksFailed: f.hooks.Failed}
}
