package poll

import (
	"context"
	"time"
)

// Outlive is a context that ends some time after ctx does: for a call that would leave
// something behind if it were broken off.
func Outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return longer, func() { stop(); cancel() }
}
