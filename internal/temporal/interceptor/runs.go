package interceptor

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
)

// Runs counts runs by their results, and tells in the log of their end. A run that somebody
// terminates ends on no worker, and is not counted.
type Runs struct {
	interceptor.WorkerInterceptorBase
	log         *slog.Logger
	instruments *instruments
	types       map[string]string
	changed     func()
	orphans     func(contract.OrphanPlan)
}

// Listeners are told of what activities have done. Both may be nil.
type Listeners struct {
	// Changed is called when an activity has changed the bucket's documents.
	Changed func()
	// Orphans is called with what a look for orphans has found.
	Orphans func(contract.OrphanPlan)
}

// NewRuns makes the instruments of runs.
func NewRuns(m metric.Meter, log *slog.Logger, l Listeners) (*Runs, error) {
	i, err := newInstruments(m)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	r := &Runs{log: log, instruments: i, types: typesByWorkflow(), changed: l.Changed, orphans: l.Orphans}
	if r.changed == nil {
		r.changed = func() {}
	}
	if r.orphans == nil {
		r.orphans = func(contract.OrphanPlan) {}
	}
	return r, nil
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (r *Runs) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	w := &workflowRuns{runs: r}
	w.Next = next
	return w
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (r *Runs) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	a := &activityRuns{runs: r}
	a.Next = next
	return a
}

type workflowRuns struct {
	interceptor.WorkflowInboundInterceptorBase
	runs *Runs
}

// ExecuteWorkflow counts the run when it ends, and not when its history is replayed.
func (w *workflowRuns) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	out, err := w.Next.ExecuteWorkflow(ctx, in)
	if workflow.IsReplaying(ctx) {
		return out, err
	}
	endSpan(ctx)
	if workflow.IsContinueAsNewError(err) {
		return out, err
	}
	info := workflow.GetInfo(ctx)
	if e, ok := w.runs.Count(context.Background(), info.WorkflowType.Name, out, err, workflow.Now(ctx).Sub(info.WorkflowStartTime)); ok {
		w.runs.tell(info, e)
	}
	return out, err
}

// Count counts a run of a workflow that has ended, unless runs of that one are not counted.
func (r *Runs) Count(ctx context.Context, workflowType string, out any, err error, took time.Duration) (ended, bool) {
	kind := r.types[workflowType]
	if kind == "" {
		return ended{}, false
	}
	e := endedRun(kind, out, err)
	e.took = took
	r.instruments.record(ctx, e)
	return e, true
}

// endedRun is what a run has come to, by its result.
func endedRun(kind string, out any, err error) ended {
	e := ended{kind: kind, result: resultOf(err)}
	if err != nil {
		return e
	}
	switch res := out.(type) {
	case contract.BackupResult:
		e.result, e.objects, e.bytes, e.volumes, e.warnings = res.Phase, res.Objects, res.Bytes, int64(res.Volumes), int64(res.Warnings)
	case contract.RestoreResult:
		e.result, e.objects, e.volumes, e.warnings = res.Phase, res.Counts.Created+res.Counts.Updated, int64(res.Volumes), int64(res.Warnings)
		if res.DryRun {
			e = ended{kind: typeDryRun, result: res.Phase}
		}
	case contract.DrillResult:
		if e.result = resultNotPassed; res.Passed() {
			e.result = resultPassed
		}
		e.warnings = int64(len(res.Warnings))
	case contract.RehearsalResult:
		e.result, e.objects = cmp.Or(res.Level, levelNone), res.Counts.Objects
	}
	return e
}

func (r *Runs) tell(info *workflow.Info, e ended) {
	attrs := append(RunAttrs(info.WorkflowExecution.ID, info.WorkflowExecution.RunID), slog.String("result", e.result), slog.String("took", e.took.Round(time.Millisecond).String()))
	r.log.LogAttrs(context.Background(), slog.LevelInfo, e.kind+" ended", attrs...)
}

// RunAttrs name a run in a log line.
func RunAttrs(workflowID, runID string) []slog.Attr {
	attrs := []slog.Attr{slog.String("workflow", workflowID), slog.String("run", runID)}
	if noun, name := subjectOf(workflowID); name != "" {
		attrs = append(attrs, slog.String(noun, name))
	}
	return attrs
}

// subjectOf is what a run is about, by its workflow's id.
func subjectOf(workflowID string) (noun, name string) {
	parts := strings.SplitN(workflowID, ":", 4)
	if len(parts) < 3 {
		return "", ""
	}
	switch parts[0] {
	case "backup":
		return "backup", contract.NameFromID(workflowID)
	case "restore":
		return "restore", contract.NameFromID(workflowID)
	case "delete", "rehearse", "retention":
		return "backup", parts[2]
	case "schedule":
		return "schedule", parts[2]
	}
	return "", ""
}

type activityRuns struct {
	interceptor.ActivityInboundInterceptorBase
	runs *Runs
}

// ExecuteActivity has the log lines and the requests of an activity carry what they belong to.
func (a *activityRuns) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	attrs := append(RunAttrs(info.WorkflowExecution.ID, info.WorkflowExecution.RunID), slog.String("activity", info.ActivityType.Name), slog.Int("attempt", int(info.Attempt)))
	ctx = telemetry.WithSpanBudget(telemetry.WithLogAttrs(ctx, attrs...))
	began := time.Now()
	out, err := a.Next.ExecuteActivity(ctx, in)
	took := time.Since(began)
	if err == nil {
		a.runs.log.DebugContext(ctx, "activity ended", "took", took.Round(time.Millisecond).String())
		a.runs.noteActivity(ctx, info.ActivityType.Name, out, took)
	}
	return out, err
}

// noteActivity counts what is work of its own within a run that goes on for a day, and tells
// of what has changed in the bucket.
func (r *Runs) noteActivity(ctx context.Context, name string, out any, took time.Duration) {
	switch res := out.(type) {
	case contract.VerifiedBackup:
		r.instruments.record(ctx, ended{kind: typeVerification, result: res.Outcome, bytes: res.Bytes, took: took})
	case contract.OrphanPlan:
		result := resultCompleted
		if len(res.Unread) > 0 {
			result = resultPartial
		}
		r.instruments.record(ctx, ended{kind: typeCollection, result: result, took: took})
		r.orphans(res)
	case contract.OrphanResult:
		r.instruments.removed.Add(ctx, int64(res.Removed))
	}
	if slices.Contains(changing(), name) {
		r.changed()
	}
}

// changing are the activities after which the gauges of the bucket are others.
func changing() []string {
	return []string{
		contract.CommitBackup.Name, contract.FinishRestore.Name, contract.DeleteFiles.Name, contract.DeleteExpired.Name, contract.VerifyStoredBackup.Name,
		contract.RehearseRestore.Name, contract.SignDrill.Name, contract.ChangeSchedules.Name, contract.BeginSlot.Name, contract.EndSlot.Name, contract.SetRetention.Name,
	}
}
