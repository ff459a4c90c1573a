package interceptor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	sdkinterceptor "go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal/interceptor"
)

// An activity that does not end by itself is told to when its worker stops, and is offered to
// another at once; what it returns otherwise stays what it is.
func TestHandover(t *testing.T) {
	broken := errors.New("broken")
	untilEnded := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, tc := range map[string]struct {
		stops bool
		after time.Duration
		do    func(context.Context) error
		want  string // type of the error, "" for none
	}{
		"handed over":               {true, 0, untilEnded, contract.ErrTypeStopping},
		"ends in time":              {true, time.Hour, func(context.Context) error { return nil }, ""},
		"fails in time":             {true, time.Hour, func(context.Context) error { return temporal.NewApplicationError("x", "Transient") }, "Transient"},
		"done though told to end":   {true, 0, func(ctx context.Context) error { <-ctx.Done(); return nil }, ""},
		"fails, nobody stops":       {false, 0, func(context.Context) error { return temporal.NewApplicationError("x", "Transient") }, "Transient"},
		"error of its own, handing": {true, 0, func(ctx context.Context) error { <-ctx.Done(); return broken }, contract.ErrTypeStopping},
	} {
		t.Run(name, func(t *testing.T) {
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			env.SetWorkerOptions(worker.Options{Interceptors: []sdkinterceptor.WorkerInterceptor{&interceptor.Handover{After: tc.after}}})
			stop := make(chan struct{})
			if tc.stops {
				close(stop)
			}
			env.SetWorkerStopChannel(stop)
			env.RegisterActivityWithOptions(tc.do, activity.RegisterOptions{Name: "Work"})
			_, err := env.ExecuteActivity("Work")
			var got *temporal.ApplicationError
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tc.want != "" && (!errors.As(err, &got) || got.Type() != tc.want || got.NonRetryable()):
				t.Errorf("got %v, want type %s, to be tried again", err, tc.want)
			case tc.want == contract.ErrTypeStopping && (got.NextRetryDelay() <= 0 || got.NextRetryDelay() > time.Second):
				t.Errorf("offered again after %s", got.NextRetryDelay())
			}
		})
	}
}
