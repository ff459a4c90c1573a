package quiesce

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// freezing is n pods with a pre and a post hook, in one unit; each call of the function
// is another attempt at it.
func freezing(t *testing.T, n int) (*podAPI, func() *Quiescer) {
	t.Helper()
	s := &podAPI{pods: n, start: time.Now().Add(-time.Hour), ran: map[string][]string{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	client, err := kube.New(&kube.RESTConfig{Host: srv.URL}, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	run := &backup.Run{Staging: repository.NewStaging(memstore.New(), "uid")}
	command := func(name string) []hook.Hook {
		return []hook.Hook{{Name: name, Container: "app", Command: []string{name}, OnError: velerov1.HookErrorModeFail, Timeout: time.Minute}}
	}
	var unit backup.Unit
	for i := range n {
		unit.Pods = append(unit.Pods, backup.PodHooks{Namespace: "n", Name: fmt.Sprintf("p%d", i), Pre: command("freeze"), Post: command("thaw")})
	}
	run.Plan.Volumes.Units = []backup.Unit{unit}
	return s, func() *Quiescer { return New(&backup.Service{Kube: client}, run, 0) }
}

// want fails the test unless each pod has run these commands.
func (s *podAPI) want(t *testing.T, commands ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.pods {
		if pod := fmt.Sprintf("p%d", i); !slices.Equal(s.ran[pod], commands) {
			t.Errorf("%s ran %q, want %q", pod, s.ran[pod], commands)
		}
	}
}

func (q *Quiescer) hasJournal(t *testing.T) bool {
	t.Helper()
	var note Journal
	err := q.stage.Get(t.Context(), q.journalFile(), &note)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil && !note.Thawed
}

func TestFreezeAndThaw(t *testing.T) {
	s, attempt := freezing(t, 5)
	f := attempt()
	if resumed, err := f.Resume(t.Context()); resumed || err != nil {
		t.Fatal(resumed, err)
	}
	stopped, err := f.Quiesce(t.Context())
	if err != nil || len(stopped) > 0 || !f.hasJournal(t) {
		t.Fatalf("%v %v, noted %t", stopped, err, f.hasJournal(t))
	}
	if err := f.Unquiesce(t.Context(), nil); err != nil || f.hasJournal(t) || f.counts.Attempted != 10 {
		t.Errorf("%v, noted %t, %+v", err, f.hasJournal(t), f.counts)
	}
	s.want(t, "freeze", "thaw")
}

// A cancelled attempt unquiesces what it quiesced, though its context is at its end.
func TestThawOfACancelledAttempt(t *testing.T) {
	s, attempt := freezing(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	f := attempt()
	if _, err := f.Quiesce(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := f.Unquiesce(ctx, nil); err != nil || f.hasJournal(t) {
		t.Errorf("%v, noted %t", err, f.hasJournal(t))
	}
	s.want(t, "freeze", "thaw")
}

// An attempt that was taken for dead, and is told so late, must not unquiesce pods that the
// next attempt has quiesced for its snapshots.
func TestThawOfAnAttemptTakenOver(t *testing.T) {
	s, attempt := freezing(t, 2)
	ctx, told := context.WithCancel(t.Context())
	lost, next := attempt(), attempt()
	if _, err := lost.Quiesce(ctx); err != nil {
		t.Fatal(err)
	}
	if resumed, err := next.Resume(t.Context()); !resumed || err != nil || len(next.reasons) != 2 {
		t.Fatal(resumed, err, next.reasons)
	}
	if _, err := next.Quiesce(t.Context()); err != nil {
		t.Fatal(err)
	}
	told()
	if err := lost.Unquiesce(ctx, nil); err != nil || !next.hasJournal(t) {
		t.Errorf("%v, noted %t", err, next.hasJournal(t))
	}
	s.want(t, "freeze", "thaw", "freeze")
	if err := next.Unquiesce(t.Context(), nil); err != nil || next.hasJournal(t) {
		t.Errorf("%v, noted %t", err, next.hasJournal(t))
	}
	s.want(t, "freeze", "thaw", "freeze", "thaw")
}
