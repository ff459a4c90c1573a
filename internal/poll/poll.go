// Package poll waits between two tries or two looks.
package poll

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Wait returns after d, or earlier with an error when ctx ends. The error is
// ctx.Err() and also the cause that ctx was cancelled with, so that callers can ask
// for either.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
	}
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
