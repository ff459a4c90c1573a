package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// The search attributes of package contract, typed.
var (
	searchCluster  = temporal.NewSearchAttributeKeyKeyword(contract.SearchCluster)
	searchName     = temporal.NewSearchAttributeKeyKeyword(contract.SearchName)
	searchPhase    = temporal.NewSearchAttributeKeyKeyword(contract.SearchPhase)
	searchSchedule = temporal.NewSearchAttributeKeyKeyword(contract.SearchSchedule)
	searchExpires  = temporal.NewSearchAttributeKeyTime(contract.SearchExpires)
)

// Phases as Velero names them.
const (
	phaseInProgress       = "InProgress"
	phaseFinalizing       = "Finalizing"
	phaseDeleting         = "Deleting"
	phaseFailedValidation = "FailedValidation"
	phaseFailed           = "Failed"
	phaseCanceled         = "Canceled"
)

// progress is what people see of a run: the answer of the query, the markdown in
// the UI and the phase in lists.
type progress struct {
	contract.Progress
	title      string
	activities int
	missing    []string // search attributes that the run goes without
}

// newProgress makes the run findable by cluster and name, and answers the query.
func newProgress(ctx workflow.Context, title, name, phase string) (*progress, error) {
	p := &progress{title: title, missing: recordMissing(ctx)}
	err := workflow.SetQueryHandler(ctx, contract.ProgressQuery, func() (contract.Progress, error) {
		return p.Progress, nil
	})
	if err != nil {
		return nil, err
	}
	err = p.upsertAttributes(ctx,
		attribute{contract.SearchCluster, searchCluster.ValueSet(contract.ClusterOf(workflow.GetInfo(ctx).TaskQueueName))},
		attribute{contract.SearchName, searchName.ValueSet(name)})
	return p, errors.Join(err, p.setPhase(ctx, phase))
}

func (p *progress) setPhase(ctx workflow.Context, phase string) error {
	p.Phase = phase
	return p.upsertAttributes(ctx, attribute{contract.SearchPhase, searchPhase.ValueSet(phase)})
}

// setExpiry records when the backup may be deleted, and which schedule took it.
func (p *progress) setExpiry(ctx workflow.Context, at time.Time, schedule string) error {
	expires := attribute{contract.SearchExpires, searchExpires.ValueSet(at)}
	if schedule == "" {
		return p.upsertAttributes(ctx, expires)
	}
	return p.upsertAttributes(ctx, expires, attribute{contract.SearchSchedule, searchSchedule.ValueSet(schedule)})
}

// setFailure records the phase of err and returns err bare: Temporal tells a cancel
// from a failure, and a final error from one to retry, by the outermost error.
func (p *progress) setFailure(ctx workflow.Context, err error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	p.setStep(ctx, "stopped: "+errorMessage(err))
	if phaseErr := p.setPhase(ctx, failurePhase(err)); phaseErr != nil {
		return phaseErr
	}
	return err
}

func (p *progress) setStep(ctx workflow.Context, step string) {
	p.Step, p.Waits = step, ""
	p.showDetails(ctx)
}

// showDetails writes the markdown that Temporal's UI shows for the run.
func (p *progress) showDetails(ctx workflow.Context) {
	text := fmt.Sprintf("### %s\n\n**%s**\n\n", p.title, p.Step)
	if p.Waits != "" {
		text += "waiting for " + p.Waits + "\n\n"
	}
	if p.TotalObjects > 0 {
		text += fmt.Sprintf("%d of %d objects", p.Objects, p.TotalObjects)
	}
	if p.Bytes > 0 {
		text += fmt.Sprintf(", %.1f MiB", float64(p.Bytes)/(1<<20))
	}
	if p.TotalVolumes > 0 {
		text += fmt.Sprintf("\n\n%d of %d volumes", p.Volumes, p.TotalVolumes)
		if p.VolumesPercent > 0 {
			text += fmt.Sprintf(" (%d%% of their data)", p.VolumesPercent)
		}
	}
	if p.Warnings+p.Errors > 0 {
		text += fmt.Sprintf("\n\n%d warnings, %d errors", p.Warnings, p.Errors)
	}
	workflow.SetCurrentDetails(ctx, text)
}

// failurePhase is the phase in which an error leaves a run.
func failurePhase(err error) string {
	var app *temporal.ApplicationError
	switch {
	case temporal.IsCanceledError(err):
		return phaseCanceled
	case errors.As(err, &app) && app.Type() == contract.ErrTypeInvalid:
		return phaseFailedValidation
	default:
		return phaseFailed
	}
}

// errorMessage is the cause of an activity's or a child workflow's error, without what the SDK puts
// around it.
func errorMessage(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	var activity *temporal.ActivityError
	var child *temporal.ChildWorkflowExecutionError
	switch {
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		return "a run of that name goes on already"
	case errors.As(err, &activity):
		return causeMessage(activity.Unwrap())
	case errors.As(err, &child):
		return causeMessage(child.Unwrap())
	}
	return err.Error()
}

// causeMessage says how something ended that gave no reason.
func causeMessage(err error) string {
	var late *temporal.TimeoutError
	var terminated *temporal.TerminatedError
	switch {
	case errors.As(err, &late):
		return "it took longer than it may (" + late.TimeoutType().String() + ")"
	case errors.As(err, &terminated):
		return "it was terminated"
	case temporal.IsCanceledError(err):
		return "it was cancelled"
	case err == nil:
		return "it ended without a reason"
	}
	return err.Error()
}

// stopError is the error of a phase that has failed. In a run that was asked to stop it
// is the cancel, whatever the activity made of that: an activity whose heartbeat failed
// at that moment reports a failure.
func stopError(ctx workflow.Context, err error) error {
	if stop := ctx.Err(); stop != nil && !temporal.IsCanceledError(err) {
		return stop
	}
	return err
}

// cleanUpError is the error of a run whose clean-up has failed too: what it could not
// remove is left to a person.
func cleanUpError(cause, err error) error {
	return temporal.NewApplicationErrorWithCause("clean up after: "+errorMessage(cause), "CleanupFailed", err)
}

// defaultName names a run that was started by hand without a name: by its workflow id
// where that has our form, else by kind and start time.
// The end of a run id tells runs of one second apart; its beginning, which older workers took,
// is the clock.
func defaultName(ctx workflow.Context, kind string) string {
	info := workflow.GetInfo(ctx)
	if name := contract.NameFromID(info.WorkflowExecution.ID); name != "" {
		return name
	}
	id := info.OriginalRunID
	mark := id[max(len(id)-4, 0):]
	if workflow.GetVersion(ctx, "name from the end of the run id", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		mark = id[:min(4, len(id))]
	}
	return kind + "-" + info.WorkflowStartTime.UTC().Format("20060102150405") + "-" + mark
}

func thisRun(info *workflow.Info) contract.Run {
	return contract.Run{
		WorkflowID: info.WorkflowExecution.ID,
		RunID:      info.OriginalRunID,
		Cluster:    contract.ClusterOf(info.TaskQueueName),
		Started:    info.WorkflowStartTime.UTC(),
	}
}
