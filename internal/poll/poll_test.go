package poll

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWait(t *testing.T) {
	lost := errors.New("the connection broke")
	for name, tt := range map[string]struct {
		end  func(cancel context.CancelCauseFunc)
		want []error
		took time.Duration
	}{
		"to its end":   {func(context.CancelCauseFunc) {}, nil, time.Minute},
		"cancelled":    {func(cancel context.CancelCauseFunc) { cancel(nil) }, []error{context.Canceled}, time.Second},
		"for a reason": {func(cancel context.CancelCauseFunc) { cancel(lost) }, []error{context.Canceled, lost}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				time.AfterFunc(time.Second, func() { tt.end(cancel) })
				start := time.Now()
				err := Wait(ctx, time.Minute)
				if took := time.Since(start); took != tt.took || (err == nil) != (len(tt.want) == 0) {
					t.Errorf("%v after %s", err, took)
				}
				for _, want := range tt.want {
					if !errors.Is(err, want) {
						t.Errorf("%v is not %v", err, want)
					}
				}
			})
		})
	}
}
