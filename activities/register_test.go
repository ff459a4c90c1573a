package activities

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
)

// names collects what is registered.
type names []string

func (n *names) RegisterActivityWithOptions(_ any, o activity.RegisterOptions) {
	*n = append(*n, o.Name)
}

// A workflow that names an activity which no worker has waits for ever: every activity of
// the contract is registered, once.
func TestEveryActivityIsRegistered(t *testing.T) {
	source, err := os.ReadFile("../internal/contract/activity.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`= Activity\[.*\]\{"(\w+)"\}`).FindAllSubmatch(source, -1) {
		want = append(want, string(m[1]))
	}
	var got names
	(&Backup{}).Register(&got)
	(&Restore{}).Register(&got)
	(&Delete{}).Register(&got)
	(&Garbage{}).Register(&got)
	(&Schedules{}).Register(&got)
	(&Rehearsal{}).Register(&got)
	(&Drill{}).Register(&got)
	(&Verification{}).Register(&got)
	(&Catalog{}).Register(&got)
	slices.Sort(got)
	slices.Sort(want)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("registered %v\nwant       %v", []string(got), want)
	}
}

// What no retry mends is final for Temporal and has its type; anything else may be tried
// again; the end of the context stays what it is.
func TestTyped(t *testing.T) {
	for name, tc := range map[string]struct {
		err   error
		kind  string
		final bool
	}{
		"bad input":        {failure.Invalid("name: empty"), contract.ErrTypeInvalid, true},
		"wrapped":          {fmt.Errorf("open: %w", failure.NotFound("no backup")), contract.ErrTypeNotFound, true},
		"damaged archive":  {fmt.Errorf("read: %w", archive.ErrCorrupt), contract.ErrTypeCorrupt, true},
		"another worker's": {fmt.Errorf("open: %w", failure.WrongWorker("not this cluster")), contract.ErrTypeWrongWorker, false},
		"passing":          {errors.New("connection reset"), "Transient", false},
	} {
		var got *temporal.ApplicationError
		if err := typed(t.Context(), tc.err); !errors.As(err, &got) || got.Type() != tc.kind || got.NonRetryable() != tc.final || got.Message() != tc.err.Error() {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if err := typed(t.Context(), nil); err != nil {
		t.Errorf("no error: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := typed(ended, failure.Invalid("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
}

// A run that is not this worker's is offered to others for minutes, soon at first, then
// less often, and not for hours.
func TestLeftToOthers(t *testing.T) {
	var total time.Duration
	for attempt := int32(1); ; attempt++ {
		var got *temporal.ApplicationError
		if !errors.As(leaveToOthers(attempt, errors.New("another's")), &got) || got.Type() != contract.ErrTypeWrongWorker {
			t.Fatalf("attempt %d: %v", attempt, got)
		}
		if got.NonRetryable() {
			if total < 3*time.Minute || total > 10*time.Minute || got.Message() != "another's; no such worker took it in 100 attempts" {
				t.Errorf("given up after %s: %s", total, got.Message())
			}
			return
		}
		if wait := got.NextRetryDelay(); wait <= 0 || wait > 3*time.Second || attempt < 4 && wait > time.Second {
			t.Fatalf("attempt %d: again after %s", attempt, wait)
		}
		total += got.NextRetryDelay()
	}
}
