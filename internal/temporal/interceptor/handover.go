package interceptor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// errStopping is why the context of an activity ends that is handed over.
var errStopping = errors.New("the worker stops")

// handoverDelay is how soon another worker takes what is handed over: this one polls no more.
const handoverDelay = 100 * time.Millisecond

// Handover ends activities of a worker that stops, so that they are reported as failed while it
// can still report: its last heartbeat, the watermark, goes along, and another worker resumes
// there at once. Without it, Temporal would find out by the heartbeats that do not come.
type Handover struct {
	interceptor.WorkerInterceptorBase
	// After is how long an activity may go on, so that those that are about to end do.
	After time.Duration
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (h *Handover) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	a := &activityHandover{after: h.After}
	a.Next = next
	return a
}

type activityHandover struct {
	interceptor.ActivityInboundInterceptorBase
	after time.Duration
}

// ExecuteActivity may repeat like any attempt: what ends it is no other than a worker's death.
func (a *activityHandover) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go cancelAfterStop(ctx, a.after, cancel)
	out, err := a.Next.ExecuteActivity(ctx, in)
	if err == nil || !errors.Is(context.Cause(ctx), errStopping) {
		return out, err
	}
	return nil, temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%s: %v; another worker resumes at the last heartbeat", activity.GetInfo(ctx).ActivityType.Name, errStopping),
		contract.ErrTypeStopping, temporal.ApplicationErrorOptions{NextRetryDelay: handoverDelay})
}

// cancelAfterStop returns at the end of ctx.
func cancelAfterStop(ctx context.Context, after time.Duration, cancel context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
		return
	case <-activity.GetWorkerStopChannel(ctx):
	}
	select {
	case <-ctx.Done():
	case <-time.After(after):
		cancel(errStopping)
	}
}
