package quiesce

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/lease"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

var (
	errAway       = errors.New("the store is away")
	journalWrites = func() memstore.Match { return memstore.On(memstore.OpPut).Key("frozen-") }
)

// recordedPod is plannedPod, whose pod runs, with the store of its journal.
func recordedPod(t *testing.T) (*kubetest.Server, *memstore.Store, func() *Quiescer) {
	t.Helper()
	s, attempt := plannedPod(t, nil)
	s.ReplacePods("n", newPod("p0"))
	st := memstore.New()
	return s, st, func() *Quiescer {
		q := attempt()
		q.stage = repository.NewStaging(st, "uid")
		return q
	}
}

// TestPreHookWaitsForItsRecord: a store that does not take the record of a pre hook for a while
// delays it, and one that stays away ends the attempt with nothing run. That is no failure of
// the hook.
func TestPreHookWaitsForItsRecord(t *testing.T) {
	for name, tc := range map[string]struct {
		fails memstore.Match // the first write is that of the attempt itself
		ran   []string
	}{
		"for a while": {journalWrites().After(1).Times(3), []string{"p0 freeze"}},
		"for ever":    {journalWrites().After(1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, st, attempt := recordedPod(t)
			st.Fail(tc.fails, errAway)
			q := attempt()
			stopped, err := q.Quiesce(t.Context())
			if lost := tc.ran == nil; len(stopped) > 0 || lost != errors.Is(err, exec.ErrNotRecorded) || lost != errors.Is(err, errAway) || lost == q.wasBegun(&q.pods[0]) {
				t.Errorf("stopped %q, begun %t: %v", stopped, q.wasBegun(&q.pods[0]), err)
			}
			if ran := commandsRun(s); !slices.Equal(ran, tc.ran) || len(q.AllReasons()) > 0 {
				t.Errorf("ran %q, reasons %v", ran, q.AllReasons())
			}
		})
	}
}

// TestPostHookWaitsForNoRecord: pods do not stay quiesced for the store.
func TestPostHookWaitsForNoRecord(t *testing.T) {
	s, st, attempt := recordedPod(t)
	q := attempt()
	if _, err := q.Quiesce(t.Context()); err != nil {
		t.Fatal(err)
	}
	st.Fail(journalWrites(), errAway)
	if err := q.Unquiesce(t.Context(), nil); !errors.Is(err, errAway) { // the mark is missing, of which the next attempt makes a thaw
		t.Error(err)
	}
	if ran := commandsRun(s); !slices.Equal(ran, []string{"p0 freeze", "p0 thaw"}) || len(q.AllReasons()) > 0 {
		t.Errorf("ran %q, reasons %v", ran, q.AllReasons())
	}
}

// TestLostBeforeTheRecord: a worker that is lost while it records a pre hook has begun nothing
// that could run beside the repetition, though its write lands later.
func TestLostBeforeTheRecord(t *testing.T) {
	s, st, attempt := recordedPod(t)
	var running, most atomic.Int32
	s.SetProgram("freeze", func(*kubetest.Exec) int {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		time.Sleep(20 * time.Millisecond)
		return 0
	})
	ctx, lose := context.WithCancel(t.Context())
	writes := 0
	st.Intercept(func(_ context.Context, r memstore.Request) error {
		if journalWrites()(r) {
			if writes++; writes == 2 {
				lose()
			}
		}
		return nil
	})
	if _, err := attempt().Quiesce(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the worker was not lost: %v", err)
	}
	if ran := commandsRun(s); len(ran) > 0 {
		t.Errorf("the lost worker ran %q", ran)
	}
	next := attempt()
	if resumed, err := next.Resume(t.Context()); !resumed || err != nil {
		t.Fatal(resumed, err)
	}
	if _, err := next.Quiesce(t.Context()); err != nil || most.Load() != 1 {
		t.Errorf("%d at a time, %v", most.Load(), err)
	}
	if ran := s.Commands()["n/p0"]; !slices.Equal(ran, []string{"thaw", "freeze"}) {
		t.Errorf("ran %q", ran)
	}
}

// TestStoodStillAtTheRecord: a worker that stands still while it records a pre hook, until another
// has taken the pods over, does not begin the hook when it goes on, though its write has succeeded.
func TestStoodStillAtTheRecord(t *testing.T) {
	s, st, attempt := recordedPod(t)
	began, writes := time.Now(), 0
	of := func(number int32) context.Context {
		return repository.WithAttempt(t.Context(), began.Add(time.Duration(number)*time.Second), number)
	}
	next := attempt()
	st.Intercept(func(_ context.Context, r memstore.Request) error {
		if !journalWrites()(r) {
			return nil
		}
		if writes++; writes != 2 {
			return nil
		}
		_, err := next.Resume(of(2))
		if err == nil {
			_, err = next.Quiesce(of(2))
		}
		time.Sleep(100 * time.Millisecond)
		return err
	})
	// The lease expires without a timer that ends the context: a process that goes on may run
	// either first.
	ctx, end := lease.Begin(context.WithoutCancel(of(1)), 50*time.Millisecond)
	defer end()
	lease.Renew(ctx, time.Now())
	if _, err := attempt().Quiesce(context.WithoutCancel(ctx)); !errors.Is(err, lease.ErrExpired) {
		t.Errorf("the late attempt: %v", err)
	}
	if ran := s.Commands()["n/p0"]; !slices.Equal(ran, []string{"thaw", "freeze"}) {
		t.Errorf("ran %q", ran)
	}
}

// TestRecordsOfManyPods: hooks that begin at a time share writes of the journal, each of which
// takes its time, so that none waits for those of all others.
func TestRecordsOfManyPods(t *testing.T) {
	const pods, write = 25, 100 * time.Millisecond
	s, attempt := unitOfPods(t, pods)
	q := attempt()
	st := memstore.New(memstore.WithDelay(journalWrites(), write))
	q.stage = repository.NewStaging(st, "uid")
	began := time.Now()
	if stopped, err := q.Quiesce(t.Context()); err != nil || len(stopped) > 0 {
		t.Fatal(stopped, err)
	}
	if n, took := st.Count(journalWrites()), time.Since(began); n > pods/2 || took > pods*write {
		t.Errorf("%d writes in %s", n, took)
	}
	wantCommands(t, s, pods, "freeze")
}

// TestJournalWriteServesWhatCameBefore: who waited for a write that had all of its own writes
// nothing, and one that failed serves nobody.
func TestJournalWriteServesWhatCameBefore(t *testing.T) {
	_, st, attempt := recordedPod(t)
	q := attempt()
	st.Fail(journalWrites().Times(1), errAway)
	if err := q.writeJournal(t.Context()); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	q.Journal.Running["n/p0"] = exec.Process{PID: "7"}
	if err := q.writeJournal(t.Context()); err != nil {
		t.Fatal(err)
	}
	var found Journal
	if err := q.stage.GetLatest(t.Context(), q.journalFile(), &found); err != nil || found.Running["n/p0"].PID != "7" {
		t.Errorf("%+v, %v", found, err)
	}
}
