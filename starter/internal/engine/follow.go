package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
)

// retryPause is how long Follow waits before it asks a silent server again.
const retryPause = 2 * time.Second

// Follow waits for a run and decodes its result. watch, when given, is called
// about every interval from one goroutine with the state of affairs. A lost
// connection is sat out, however long: only the end of the run, a server that no
// longer knows the run, or the end of ctx ends Follow. A failed run gives a
// *RunError. Giving up leaves the run alone.
func (e *Engine) Follow(ctx context.Context, run Run, result any, interval time.Duration, watch func(Sample)) error {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if watch != nil {
			e.watch(watching, run, interval, watch)
		}
	}()
	defer func() {
		stop()
		<-watched // no call of watch after Follow has returned
	}()
	for {
		err := e.c.GetWorkflow(ctx, run.WorkflowID, run.RunID).Get(ctx, result)
		if err == nil || !e.passing(ctx, err) {
			return e.followed(ctx, run, err)
		}
		if err := pause(ctx, retryPause); err != nil {
			return err
		}
	}
}

func (e *Engine) followed(ctx context.Context, run Run, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return ended(run, err)
}

// passing tells an error of the connection, which is sat out, from the end.
func (e *Engine) passing(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var ended *RunError
	var internal *serviceerror.Internal
	return !errors.As(err, &ended) && (isLost(err) || errors.As(err, &internal))
}

func (e *Engine) watch(ctx context.Context, run Run, interval time.Duration, watch func(Sample)) {
	var last Sample
	for ctx.Err() == nil {
		sample, err := e.Sample(ctx, run)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			last.Trouble = fmt.Sprintf("temporal at %s does not answer, still trying; the run is not affected", e.address)
		default:
			last = merge(last, sample)
		}
		watch(last)
		if pause(ctx, interval) != nil {
			return
		}
	}
}

// merge keeps the figures from running backwards: between the query and the look
// at the heartbeats an activity may have finished and count in neither. A sample
// without an answer to the query keeps the step known before.
func merge(last, next Sample) Sample {
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

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Cancel asks a run to stop and clean up behind itself. ErrNotFound says that it
// is not running.
func (e *Engine) Cancel(ctx context.Context, run Run) error {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	if err := e.c.CancelWorkflow(ctx, run.WorkflowID, run.RunID); err != nil {
		return fmt.Errorf("cancel %s %q: %w", run.Kind.Noun(), run.Name, explain(err))
	}
	return nil
}
