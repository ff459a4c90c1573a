package backup

import (
	"context"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// closedRuns answers for every run whether it has ended.
type closedRuns bool

func (c closedRuns) Closed(context.Context, contract.Run) (bool, error) { return bool(c), nil }

// releasedMeanwhile is a store in which another run held the name lock at the first
// attempt and has released it since.
type releasedMeanwhile struct {
	store.Store
	tried bool
}

func (s *releasedMeanwhile) Put(ctx context.Context, key string, data []byte, opts store.PutOptions) error {
	if opts.IfAbsent && !s.tried {
		s.tried = true
		return store.ErrExists
	}
	return s.Store.Put(ctx, key, data, opts)
}

func TestAcquireNameLock(t *testing.T) {
	for name, tc := range map[string]struct {
		holder    string // "": nobody
		closed    bool
		released  bool
		abandoned string
		failed    string
	}{
		"nobody holds it":              {},
		"an attempt before holds it":   {holder: "mine"},
		"an ended run holds it":        {holder: "theirs", closed: true, abandoned: "theirs"},
		"a running backup holds it":    {holder: "theirs", failed: contract.ErrTypeExists},
		"it is released in the middle": {released: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, st := t.Context(), store.Store(memstore.New())
			if tc.holder != "" {
				if err := repository.AcquireName(ctx, st, "b", repository.NameLock{UID: tc.holder}); err != nil {
					t.Fatal(err)
				}
			}
			if tc.released {
				st = &releasedMeanwhile{Store: st}
			}
			var abandoned string
			s := &Service{Runs: closedRuns(tc.closed)}
			err := s.acquireNameLock(ctx, st, "b", repository.NameLock{UID: "mine"}, "l", func(_ context.Context, ref contract.BackupRef) error {
				abandoned = ref.UID
				return nil
			})
			if failure.TypeOf(err) != tc.failed || (err != nil) != (tc.failed != "") || abandoned != tc.abandoned {
				t.Errorf("%v, abandoned %q", err, abandoned)
			}
			want := "mine"
			if tc.failed != "" {
				want = tc.holder
			}
			var lock repository.NameLock
			if err := repository.GetJSON(ctx, st, layout.NameLock("b"), &lock); err != nil || lock.UID != want {
				t.Errorf("held by %q: %v", lock.UID, err)
			}
		})
	}
}

// Of two runs that take over the lock of one that ended, one gets the name: the slower one finds
// the faster one's lock and leaves it alone.
func TestTwoRunsTakeOver(t *testing.T) {
	st := memstore.New()
	if err := repository.AcquireName(t.Context(), st, "b", repository.NameLock{UID: "ended"}); err != nil {
		t.Fatal(err)
	}
	slow := &Service{Runs: endedRuns{}}
	err := slow.acquireNameLock(t.Context(), st, "b", repository.NameLock{UID: "slow"}, "l", func(context.Context, contract.BackupRef) error {
		fast := &Service{Runs: endedRuns{}} // while the slow one cleans up
		return fast.acquireNameLock(t.Context(), st, "b", repository.NameLock{UID: "fast", Run: contract.Run{WorkflowID: "fast"}}, "l", func(context.Context, contract.BackupRef) error { return nil })
	})
	held, heldErr := repository.HoldsName(t.Context(), st, "b", "fast")
	if failure.TypeOf(err) != contract.ErrTypeExists || !held || heldErr != nil {
		t.Errorf("%v; held by the faster one: %t, %v", err, held, heldErr)
	}
}

// endedRuns says that a run has ended unless it says which workflow it is of.
type endedRuns struct{}

func (endedRuns) Closed(_ context.Context, run contract.Run) (bool, error) {
	return run.WorkflowID == "", nil
}
