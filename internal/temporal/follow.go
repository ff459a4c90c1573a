package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
	"k8s.io/apimachinery/pkg/util/wait"
)

// retryInterval is how often Follow asks a server again that does not answer.
const retryInterval = 2 * time.Second

// Follow waits for a run and decodes its result. watch, when given, is called
// about every interval from one goroutine with the state of affairs. A lost
// connection is sat out, however long: only the end of the run, a server that no
// longer knows the run, or the end of ctx ends Follow. A failed run gives a
// *RunError, and the result that its error carries, if any. Giving up leaves the run alone.
func (c *Client) Follow(ctx context.Context, run Run, result any, interval time.Duration, watch func(Sample)) error {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if watch != nil {
			c.watchRun(watching, run, interval, watch)
		}
	}()
	defer func() {
		stop()
		<-watched // no call of watch after Follow has returned
	}()
	return wait.PollUntilContextCancel(ctx, retryInterval, true, func(ctx context.Context) (bool, error) {
		err := c.sdk.GetWorkflow(ctx, run.WorkflowID, run.RunID).Get(ctx, result)
		switch {
		case err == nil:
			return true, nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		case isTransient(err):
			return false, nil
		}
		decodeFailure(err, result)
		return false, runFailure(run, err)
	})
}

// decodeFailure reads the result that the error of a run carries, as that of a drill does. It leaves
// result as it was where there is none.
func decodeFailure(err error, result any) {
	var app *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	switch {
	case errors.As(err, &cancelled) && cancelled.HasDetails():
		_ = cancelled.Details(result)
	case errors.As(err, &app) && app.HasDetails():
		_ = app.Details(result)
	}
}

// isTransient is true for an error of the connection or of the server itself, which is
// sat out; any other is the end of the run.
func isTransient(err error) bool {
	var internal *serviceerror.Internal
	return isConnectionLost(err) || errors.As(err, &internal)
}

func (c *Client) watchRun(ctx context.Context, run Run, interval time.Duration, watch func(Sample)) {
	var last Sample
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		sample, err := c.Sample(ctx, run)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			last.Trouble = fmt.Sprintf("temporal at %s does not answer, still trying; the run is not affected", c.address)
		default:
			last = mergeSamples(last, sample)
		}
		watch(last)
	}, interval)
}

// mergeSamples keeps the figures from running backwards: between the query and the look
// at the heartbeats an activity may have finished and count in neither. A sample
// without an answer to the query keeps the step known before.
func mergeSamples(last, next Sample) Sample {
	if next.Step == "" && last.Step != "" {
		trouble := next.Trouble
		next = last
		next.Trouble = trouble
		return next
	}
	if next.Step == last.Step && next.Phase == last.Phase {
		next.Objects = max(next.Objects, last.Objects)
		next.Bytes = max(next.Bytes, last.Bytes)
	}
	return next
}

// Cancel asks a run to stop and clean up behind itself. ErrNotFound says that it
// is not running.
func (c *Client) Cancel(ctx context.Context, run Run) error {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	if err := c.sdk.CancelWorkflow(ctx, run.WorkflowID, run.RunID); err != nil {
		return fmt.Errorf("cancel %s: %w", run.Kind.naming(run.Name), explainError(err))
	}
	return nil
}
