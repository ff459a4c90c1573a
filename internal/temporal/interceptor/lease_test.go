package interceptor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/lease"
)

// TestLeased: an attempt without heartbeats that Temporal has taken ends, and is tried again,
// whatever error it makes of that; its result counts. One with heartbeats goes on.
func TestLeased(t *testing.T) {
	final := temporal.NewNonRetryableApplicationError("x", "Final", nil)
	for name, tc := range map[string]struct {
		do   func(context.Context) error
		want string // type of the error, "" for none
	}{
		"no heartbeat":            {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "Transient"},
		"final error after it":    {func(ctx context.Context) error { <-ctx.Done(); return final }, "Transient"},
		"final error before it":   {func(context.Context) error { return final }, "Final"},
		"done though it expired":  {func(ctx context.Context) error { <-ctx.Done(); return nil }, ""},
		"heartbeats that it took": {renewing, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := leased(t.Context(), "Work", leaseOf(10*time.Second), func(ctx context.Context) (any, error) { return nil, tc.do(ctx) })
				var got *temporal.ApplicationError
				switch {
				case tc.want == "" && err != nil:
					t.Errorf("got %v", err)
				case tc.want != "" && (!errors.As(err, &got) || got.Type() != tc.want || got.NonRetryable() != (tc.want == "Final")):
					t.Errorf("got %v, want type %s", err, tc.want)
				}
			})
		})
	}
}

// renewing works for a minute, with the heartbeats of a busy machine: one of two is missed.
func renewing(ctx context.Context) error {
	for range 10 {
		time.Sleep(6 * time.Second)
		lease.Renew(ctx, time.Now())
	}
	return ctx.Err()
}
