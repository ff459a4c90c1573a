package interceptor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/lease"
)

// Lease gives each attempt of an activity a lease that its heartbeats renew.
type Lease struct {
	interceptor.WorkerInterceptorBase
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (*Lease) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	a := &activityLease{}
	a.Next = next
	return a
}

type activityLease struct {
	interceptor.ActivityInboundInterceptorBase
}

func (a *activityLease) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	if info.HeartbeatTimeout <= 0 {
		return a.Next.ExecuteActivity(ctx, in)
	}
	return leased(ctx, info.ActivityType.Name, leaseOf(info.HeartbeatTimeout), func(ctx context.Context) (any, error) {
		return a.Next.ExecuteActivity(ctx, in)
	})
}

// leased runs an attempt under a lease. It fails in a way that is tried again where the lease has
// expired: if Temporal has begun another attempt, nobody listens to this one any more.
func leased(ctx context.Context, name string, lasts time.Duration, attempt func(context.Context) (any, error)) (any, error) {
	ctx, end := lease.Begin(ctx, lasts)
	defer end()
	out, err := attempt(ctx)
	if err == nil || !errors.Is(context.Cause(ctx), lease.ErrExpired) {
		return out, err
	}
	return nil, temporal.NewApplicationError(fmt.Sprintf("%s: %v", name, lease.ErrExpired), "Transient")
}

// leaseOf leaves a fifth of the time after which Temporal begins another attempt, 2 s, for
// requests that are on their way. Heartbeats are sent every 3 s: a busy machine may miss one.
func leaseOf(heartbeatTimeout time.Duration) time.Duration { return heartbeatTimeout * 4 / 5 }
