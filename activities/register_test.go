package activities

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

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
		"bad input":       {failure.Invalid("name: empty"), contract.ErrTypeInvalid, true},
		"wrapped":         {fmt.Errorf("open: %w", failure.NotFound("no backup")), contract.ErrTypeNotFound, true},
		"damaged archive": {fmt.Errorf("read: %w", archive.ErrCorrupt), contract.ErrTypeCorrupt, true},
		"passing":         {errors.New("connection reset"), "Transient", false},
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
