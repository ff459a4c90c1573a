package quiesce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// newPodCluster serves pods in which the commands of these tests run.
func newPodCluster(t *testing.T) *kubetest.Server {
	t.Helper()
	programs := map[string]kubetest.Program{}
	for _, name := range []string{"freeze", "thaw", "own-freeze", "own-thaw", "notify"} {
		programs[name] = kubetest.Exit(0)
	}
	return kubetest.Start(t, kubetest.WithPrograms(programs))
}

// unitOfPods is n pods with a pre and a post hook, in one unit; each call of the function
// is another attempt at it.
func unitOfPods(t *testing.T, n int) (*kubetest.Server, func() *Quiescer) {
	t.Helper()
	s := newPodCluster(t)
	var unit backup.Unit
	for i := range n {
		pod := kubetest.NewPod("n", fmt.Sprintf("p%d", i), "app")
		s.Put(pod)
		unit.Pods = append(unit.Pods, backup.PodHooks{Namespace: "n", Name: pod.Name, Pre: commandsOf("freeze"), Post: commandsOf("thaw")})
	}
	run := &backup.Run{Staging: repository.NewStaging(memstore.New(), "uid")}
	run.Plan.Volumes.Units = []backup.Unit{unit}
	client := s.Client()
	return s, func() *Quiescer { return New(&backup.Service{Kube: client}, run, 0) }
}

// wantCommands fails the test unless each of n pods has run these commands.
func wantCommands(t *testing.T, s *kubetest.Server, n int, commands ...string) {
	t.Helper()
	ran := s.Commands()
	for i := range n {
		if pod := fmt.Sprintf("n/p%d", i); !slices.Equal(ran[pod], commands) {
			t.Errorf("%s ran %q, want %q", pod, ran[pod], commands)
		}
	}
}

func (q *Quiescer) hasJournal(t *testing.T) bool {
	t.Helper()
	var j Journal
	err := q.stage.GetLatest(t.Context(), q.journalFile(), &j)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil && !j.Unquiesced
}

func TestFreezeAndThaw(t *testing.T) {
	s, attempt := unitOfPods(t, 5)
	q := attempt()
	if resumed, err := q.Resume(t.Context()); resumed || err != nil {
		t.Fatal(resumed, err)
	}
	stopped, err := q.Quiesce(t.Context())
	if err != nil || len(stopped) > 0 || !q.hasJournal(t) {
		t.Fatalf("%v %v, journal %t", stopped, err, q.hasJournal(t))
	}
	if err := q.Unquiesce(t.Context(), nil); err != nil || q.hasJournal(t) || q.counts.Attempted != 10 {
		t.Errorf("%v, journal %t, %+v", err, q.hasJournal(t), q.counts)
	}
	wantCommands(t, s, 5, "freeze", "thaw")
}

// A cancelled attempt unquiesces what it quiesced, though its context is at its end.
func TestThawOfACancelledAttempt(t *testing.T) {
	s, attempt := unitOfPods(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	q := attempt()
	if _, err := q.Quiesce(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := q.Unquiesce(ctx, nil); err != nil || q.hasJournal(t) {
		t.Errorf("%v, journal %t", err, q.hasJournal(t))
	}
	wantCommands(t, s, 2, "freeze", "thaw")
}

// An attempt that was taken for dead may go on for some seconds before it is told. It neither
// quiesces the pods of the next attempt nor unquiesces them.
func TestLateAttemptLeavesThePodsAlone(t *testing.T) {
	s, attempt := unitOfPods(t, 2)
	began := time.Now()
	of := func(number int32) context.Context {
		return repository.WithAttempt(t.Context(), began.Add(time.Duration(number)*time.Second), number)
	}
	idle, lost, next := attempt(), attempt(), attempt()
	if _, err := lost.Quiesce(of(2)); err != nil {
		t.Fatal(err)
	}
	if _, err := next.Resume(of(3)); err != nil {
		t.Fatal(err)
	}
	if _, err := next.Quiesce(of(3)); err != nil {
		t.Fatal(err)
	}
	if err := lost.Unquiesce(of(2), nil); err != nil {
		t.Fatal(err)
	}
	_, err := idle.Quiesce(of(1))
	if err = errors.Join(idle.Unquiesce(of(1), err), err); !errors.Is(err, errTakenOver) {
		t.Errorf("a late attempt quiesced pods: %v", err)
	}
	wantCommands(t, s, 2, "freeze", "thaw", "freeze")
	if err := next.Unquiesce(of(3), nil); err != nil || next.hasJournal(t) {
		t.Errorf("%v, journal %t", err, next.hasJournal(t))
	}
	wantCommands(t, s, 2, "freeze", "thaw", "freeze", "thaw")
}

// An attempt that was taken for dead, and is told so late, must not unquiesce pods that the
// next attempt has quiesced for its snapshots.
func TestThawOfAnAttemptTakenOver(t *testing.T) {
	s, attempt := unitOfPods(t, 2)
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
		t.Errorf("%v, journal %t", err, next.hasJournal(t))
	}
	wantCommands(t, s, 2, "freeze", "thaw", "freeze")
	if err := next.Unquiesce(t.Context(), nil); err != nil || next.hasJournal(t) {
		t.Errorf("%v, journal %t", err, next.hasJournal(t))
	}
	wantCommands(t, s, 2, "freeze", "thaw", "freeze", "thaw")
}

// What the last pre hook of a pod prints is recorded where the pod asks for it, also when a
// later attempt uses the snapshots; what is too long is a reason, and is not quoted.
func TestRecordedValues(t *testing.T) {
	s, attempt := unitOfPods(t, 2)
	printed := "1000\n"
	s.SetProgram("freeze", func(e *kubetest.Exec) int {
		_, _ = fmt.Fprint(e.Stdout, printed)
		return 0
	})
	asking := func() *Quiescer {
		q := attempt()
		q.pods[0].Record = "orders"
		return q
	}
	q := asking()
	if _, err := q.Quiesce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := q.Recorded(); len(got) != 1 || got["n/orders"].Value != "1000" {
		t.Errorf("recorded %v", got)
	}
	next := attempt()
	if resumed, err := next.Resume(t.Context()); err != nil {
		t.Fatal(err)
	} else if next.Reuse(resumed); next.Recorded()["n/orders"].Value != "1000" {
		t.Errorf("an attempt that uses the snapshots has %v", next.Recorded())
	}
	printed = strings.Repeat("secret", 100)
	again := asking()
	if _, err := again.Quiesce(t.Context()); err != nil || len(again.Recorded()) != 0 || len(again.AllReasons()) != 1 || strings.Contains(again.AllReasons()[0].String(), "secret") {
		t.Errorf("too long: %v, %v, %v", again.Recorded(), again.AllReasons(), err)
	}
}
