package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// cancelled is the error of a run that was asked to stop, whatever its activity made
// of that: one whose heartbeat failed at that moment reports a failure.
func cancelled(ctx workflow.Context, err error) error {
	if stop := ctx.Err(); stop != nil && !temporal.IsCanceledError(err) {
		return stop
	}
	return err
}
