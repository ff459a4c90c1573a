package restore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/binding"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Finish writes the results of a restore, or the plan of a dry run. It may repeat. The
// Restore document comes last: a restore that has it is complete.
func (r *Service) Finish(ctx context.Context, in contract.FinishRestoreInput) (contract.RestoreResult, error) {
	s, err := r.openStaged(ctx, in.Archive.Ref)
	if err != nil {
		return contract.RestoreResult{}, err
	}
	if err := errors.Join(s.readPlan(ctx), s.readProbed(ctx), s.ReadDisks(ctx), s.readClaims(ctx)); err != nil {
		return contract.RestoreResult{}, err
	}
	res, err := s.collectResults(ctx)
	if err != nil {
		return contract.RestoreResult{}, err
	}
	if in.Archive.Ref.Location == memoryLocation {
		return restoreResult(restoreResource(s, in, res), in, res), nil
	}
	if in.Restore.DryRun {
		err = s.St.Put(ctx, layout.PlanKey(s.Restore.Name), res.plan.Bytes(), store.PutOptions{ContentType: "application/gzip"})
		return restoreResult(restoreResource(s, in, res), in, res), err
	}
	in.Volumes = s.RestoredCount()
	if err := res.writeFiles(ctx, s, in); err != nil {
		return contract.RestoreResult{}, err
	}
	doc := restoreResource(s, in, res)
	err = repository.PutDocument(ctx, s.St, repository.RestoreDocumentKey(in.Restore.Name), doc)
	if err != nil && !errors.Is(err, store.ErrExists) {
		return contract.RestoreResult{}, err
	}
	return restoreResult(doc, in, res), nil
}

// results is the sum of the records of a restore.
type results struct {
	reasons []report.Reason // one of each cause
	all     []report.Reason // one of each object, for the log
	list    report.ResourceList
	hooks   contract.HookCounts
	met     map[int]bool      // positions of the rules of resource modifiers that met an object
	kinds   map[string]string // of the objects' types
	plan    bytes.Buffer      // gzip of JSON lines, of a dry run
}

// collectResults sums the records up, and compares them with the dry run that this restore
// has to agree with, if it names one.
func (s *Run) collectResults(ctx context.Context) (*results, error) {
	res := &results{list: report.ResourceList{}, met: map[int]bool{}, kinds: map[string]string{}, reasons: slices.Concat(s.Reasons, s.Plan.Reasons)}
	planned, err := s.readDryRun(ctx)
	if err != nil {
		return nil, err
	}
	zw := gzip.NewWriter(&res.plan)
	lines := json.NewEncoder(zw)
	err = s.Records(ctx, func(rec Record) error {
		res.reasons = append(res.reasons, rec.Reasons...)
		res.countHooks(rec)
		res.noteModifiers(rec)
		s.NoteAction(rec)
		switch {
		case rec.Kind == "":
			return nil // it is about no object
		case s.Restore.DryRun:
			return lines.Encode(rec)
		}
		res.list.AddRestored(rec.APIVersion, rec.Kind, rec.Namespace, rec.Name, report.Action(rec.Action), rec.note())
		res.comparePlan(planned, rec)
		return nil
	})
	for _, p := range planned { // what is left of the plan
		res.reasons = append(res.reasons, report.New(report.PlanChanged, "was in the plan and not in this restore").At(p.Resource, p.Namespace, p.Name))
	}
	unmet, bad := s.unmetRules(res.met, res.kinds)
	res.reasons = append(res.reasons, unmet...)
	res.list.Sort()
	report.Sort(res.reasons)
	res.all, res.reasons = res.reasons, report.Group(res.reasons)
	return res, errors.Join(err, bad, zw.Close())
}

// comparePlan takes an object off the plan of a dry run, and adds a reason if it was planned
// otherwise.
func (res *results) comparePlan(planned map[string]Record, rec Record) {
	p, ok := planned[planKey(rec)]
	if !ok {
		return
	}
	if what := planDifference(p, rec); what != "" {
		res.reasons = append(res.reasons, report.New(report.PlanChanged, what).At(rec.Resource, rec.Namespace, rec.Name))
	}
	delete(planned, planKey(rec))
}

func planKey(r Record) string { return r.Resource + " " + resource.ObjectName(r.Namespace, r.Name) }

// planDifference says how an outcome departs from the dry run, "" if it does not.
func planDifference(planned, actual Record) string {
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

// countHooks adds up the hooks that ran or, in a dry run, would run.
func (res *results) countHooks(rec Record) {
	switch {
	case rec.Ran != nil:
		res.hooks.Add(*rec.Ran)
	case rec.Action == PlanCreate:
		res.hooks.Attempted += rec.Hooks
	}
}

// noteModifiers notes which rules of resource modifiers met an object, and of what types
// there were any.
func (res *results) noteModifiers(rec Record) {
	for _, i := range rec.Modifiers {
		res.met[i] = true
	}
	if rec.Kind != "" {
		res.kinds[rec.Resource] = rec.Kind
	}
}

// readDryRun reads the records of the dry run that this restore has to agree with, by
// planKey. They are nil if it names none.
func (s *Run) readDryRun(ctx context.Context) (out map[string]Record, err error) {
	if s.Restore.Plan == "" || s.Restore.DryRun {
		return nil, nil
	}
	body, _, err := s.St.Get(ctx, layout.PlanKey(s.Restore.Plan))
	if errors.Is(err, store.ErrNotFound) {
		return nil, failure.NotFound("plan: no dry run %q in the location of the backup", s.Restore.Plan)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	if out, err = decodeDryRun(body); err != nil {
		return nil, fmt.Errorf("plan %s: %w: %w", s.Restore.Plan, archive.ErrCorrupt, err)
	}
	return out, nil
}

// decodeDryRun decodes the plan that a dry run has written. Differences of fields are left
// out, because they are large and not compared.
func decodeDryRun(body io.Reader) (map[string]Record, error) {
	zr, err := gzip.NewReader(body)
	if err != nil {
		return nil, err
	}
	out := map[string]Record{}
	for dec := json.NewDecoder(io.LimitReader(zr, repository.MaxDocument)); dec.More(); {
		var rec Record
		if err := dec.Decode(&rec); err != nil {
			return nil, err
		}
		rec.Diff = nil
		out[planKey(rec)] = rec
	}
	return out, nil
}

// writeFiles writes Velero's files of a restore (docs/VELERO.md 2.3).
func (res *results) writeFiles(ctx context.Context, s *Run, in contract.FinishRestoreInput) error {
	l := layout.Restore{Name: s.Restore.Name}
	for key, doc := range map[string]any{
		l.Results():        report.FromReasons(res.reasons),
		l.ResourceList():   res.list,
		l.ItemOperations(): []any{},
		l.VolumeInfo():     s.restoreInfos(),
	} {
		if _, err := repository.PutGzipJSON(ctx, s.St, key, doc); err != nil {
			return err
		}
	}
	return res.writeLog(ctx, s, in)
}

// writeLog writes what a person reads with `restore logs`.
func (res *results) writeLog(ctx context.Context, s *Run, in contract.FinishRestoreInput) error {
	log := report.NewLog(0, slog.LevelInfo)
	report.LogEvent(log, s.Run.Started, "restore started", "restore", s.Restore.Name, "backup", s.Archive.Backup, "uid", s.UID, "workflow", s.Run.WorkflowID)
	for _, level := range s.Plan.Plan.Levels {
		report.LogEvent(log, s.Run.Started, "planned", "level", level.Name, "tasks", len(level.Tasks), "objects", level.Objects)
	}
	s.logVolumes(log, in.Completed)
	if res.hooks.Attempted > 0 {
		report.LogEvent(log, in.Completed, "hooks ran", "attempted", res.hooks.Attempted, "failed", res.hooks.Failed)
	}
	log.Reasons(in.Completed, res.all)
	report.LogEvent(log, in.Completed, "restore finished", "created", in.Counts.Created, "updated", in.Counts.Updated, "skipped", in.Counts.Skipped, "failed", in.Counts.Failed)
	var buf bytes.Buffer
	if err := log.Gzip(&buf); err != nil {
		return fmt.Errorf("compress log: %w", err)
	}
	_, err := repository.PutGzipFile(ctx, s.St, layout.Restore{Name: s.Restore.Name}.Logs(), buf.Bytes())
	return err
}

// restoreResource is the Restore document as Velero would have left it.
func restoreResource(s *Run, in contract.FinishRestoreInput, res *results) *velerov1.Restore {
	n := report.Tally(res.reasons)
	spec := s.Restore.Spec
	spec.BackupName = s.Archive.Backup
	return &velerov1.Restore{
		TypeMeta: metav1.TypeMeta{APIVersion: velerov1.SchemeGroupVersion.String(), Kind: "Restore"},
		ObjectMeta: metav1.ObjectMeta{
			Name: s.Restore.Name, Namespace: repository.VeleroNamespace, UID: types.UID(s.UID),
			CreationTimestamp: metav1.NewTime(s.Run.Started.Truncate(time.Second)),
			Labels:            s.Restore.Labels,
			Annotations: resource.MergeLabels(s.Restore.Annotations, map[string]string{
				repository.AnnotationWorkflow: s.Run.WorkflowID,
				repository.AnnotationDuration: in.Completed.Sub(s.Run.Started).Round(time.Millisecond).String(),
			}),
		},
		Spec: spec,
		Status: velerov1.RestoreStatus{
			Phase:               velerov1.RestorePhase(report.PhaseOf(res.reasons)),
			StartTimestamp:      &metav1.Time{Time: s.Run.Started},
			CompletionTimestamp: &metav1.Time{Time: in.Completed},
			Warnings:            n.Warnings, Errors: n.Errors,
			Progress:   &velerov1.RestoreProgress{TotalItems: s.Plan.Plan.Objects, ItemsRestored: int(in.Counts.Created + in.Counts.Updated)},
			HookStatus: res.hookStatus(),
		},
	}
}

// reasonsNotStored is how many reasons a result has that is kept nowhere else: some 300 bytes
// each, of the 2 MB that Temporal takes.
const reasonsNotStored = 100

// restoreResult is what the workflow returns, with the worst reasons.
func restoreResult(doc *velerov1.Restore, in contract.FinishRestoreInput, res *results) contract.RestoreResult {
	out := contract.RestoreResult{
		Name: doc.Name, UID: string(doc.UID), Backup: in.Archive.Backup, Phase: string(doc.Status.Phase), DryRun: in.Restore.DryRun,
		Started: doc.Status.StartTimestamp.Time, Completed: doc.Status.CompletionTimestamp.Time,
		Counts: in.Counts, Volumes: in.Volumes, Hooks: res.hooks, Warnings: doc.Status.Warnings, Errors: doc.Status.Errors,
		Location: in.Archive.Ref.Location,
	}
	reasons := report.ReasonsInResult
	if out.Location == memoryLocation {
		out.Location, out.NotStored, reasons = "", true, reasonsNotStored
	}
	for _, r := range res.reasons[:min(len(res.reasons), reasons)] {
		out.Reasons = append(out.Reasons, r.String())
	}
	return out
}

// hookStatus is the status of hooks in Velero's words, nil for a restore without hooks.
func (res *results) hookStatus() *velerov1.HookStatus {
	if res.hooks == (contract.HookCounts{}) {
		return nil
	}
	return &velerov1.HookStatus{HooksAttempted: res.hooks.Attempted, HooksFailed: res.hooks.Failed}
}

// DeleteUnused deletes what a restore has made for volumes and nothing uses, as far as its
// staging tells.
type DeleteUnused func(ctx context.Context, stage repository.Staging, ref contract.RestoreRef) error

// Abandon clears the staging of a restore that has ended, in whatever way. Objects that it
// created stay, as with Velero. Disks that none of them uses are deleted first, because only
// staging tells where they are. A restore that ended before the location of its backup was
// known may have left files in any location. It may repeat.
func (r *Service) Abandon(ctx context.Context, in contract.AbandonRestoreInput, deleteUnused DeleteUnused) (contract.Nothing, error) {
	if err := r.checkPlace(in.Ref); err != nil {
		return contract.Nothing{}, err
	}
	r.opened.Drop(in.Ref.UID)
	if in.Ref.Location == memoryLocation {
		_, st := r.memory.open()
		return contract.Nothing{}, r.clearStaging(ctx, st, in.Ref, deleteUnused)
	}
	named, err := r.Locations.Named(in.Ref.Location)
	if failure.TypeOf(err) != "" {
		return contract.Nothing{}, nil // an unknown location holds no files of a restore
	}
	for _, bsl := range named {
		err = errors.Join(err, r.clearStagingIn(ctx, bsl, in.Ref, deleteUnused))
	}
	if _, st := r.memory.open(); in.Ref.Location == "" {
		err = errors.Join(err, repository.NewStaging(st, in.Ref.UID).Clear(ctx))
	}
	return contract.Nothing{}, err
}

// clearStagingIn clears the staging of a restore of a backup in a location.
func (r *Service) clearStagingIn(ctx context.Context, from *velerov1.BackupStorageLocation, ref contract.RestoreRef, deleteUnused DeleteUnused) error {
	_, st, err := r.Locations.Workspace(ctx, from)
	if err == nil {
		err = r.clearStaging(ctx, st, ref, deleteUnused)
	}
	if failure.TypeOf(err) != "" {
		return nil // what cannot be written to holds no files of a restore
	}
	return err
}

func (r *Service) clearStaging(ctx context.Context, st store.Store, ref contract.RestoreRef, deleteUnused DeleteUnused) error {
	stage := repository.NewStaging(st, ref.UID)
	if ref.Location != "" { // a restore without it was never planned, and has made nothing
		if err := binding.CheckCluster(ctx, r.Kube, ref.Binding); err != nil {
			return err
		}
		if err := deleteUnused(ctx, stage, ref); err != nil {
			return err
		}
	}
	return stage.Clear(ctx)
}
