package workflows

import (
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
}

func newProgress(ctx workflow.Context, title string) (*progress, error) {
	p := &progress{title: title}
	err := workflow.SetQueryHandler(ctx, contract.ProgressQuery, func() (contract.Progress, error) {
		return p.Progress, nil
	})
	return p, err
}

// identify makes the run findable by cluster and name.
func (p *progress) identify(ctx workflow.Context, name string) error {
	info := workflow.GetInfo(ctx)
	return workflow.UpsertTypedSearchAttributes(ctx,
		searchCluster.ValueSet(contract.ClusterOf(info.TaskQueueName)),
		searchName.ValueSet(name))
}

func (p *progress) phase(ctx workflow.Context, phase string) error {
	p.Phase = phase
	return workflow.UpsertTypedSearchAttributes(ctx, searchPhase.ValueSet(phase))
}

// failed records the phase of err and returns err bare: Temporal tells a cancel
// from a failure, and a final error from one to retry, by the outermost error.
func (p *progress) failed(ctx workflow.Context, err error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	p.step(ctx, "stopped: "+message(err))
	if phaseErr := p.phase(ctx, failurePhase(err)); phaseErr != nil {
		return phaseErr
	}
	return err
}

// expires records when the backup may be collected, and of which schedule it is.
func (p *progress) expires(ctx workflow.Context, at time.Time, schedule string) error {
	if schedule == "" {
		return workflow.UpsertTypedSearchAttributes(ctx, searchExpires.ValueSet(at))
	}
	return workflow.UpsertTypedSearchAttributes(ctx, searchExpires.ValueSet(at), searchSchedule.ValueSet(schedule))
}

func (p *progress) step(ctx workflow.Context, step string) {
	p.Step = step
	p.show(ctx)
}

func (p *progress) show(ctx workflow.Context) {
	text := fmt.Sprintf("### %s\n\n**%s**\n\n", p.title, p.Step)
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
	case asApplication(err, &app) && app.Type() == contract.ErrTypeInvalid:
		return phaseFailedValidation
	default:
		return phaseFailed
	}
}

// message is what an activity said, without the SDK's frame around it.
func message(err error) string {
	var app *temporal.ApplicationError
	if asApplication(err, &app) {
		return app.Message()
	}
	return err.Error()
}
