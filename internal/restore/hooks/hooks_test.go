package hooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// hookedPods is a restore that made n pods with two hooks each. The pods come up one by
// one, a millisecond apart. The hooks are the programs h0 and h1; each call of the function
// is another attempt at them.
func hookedPods(t *testing.T, n int, program kubetest.Program) (*kubetest.Server, func() *hookRun) {
	t.Helper()
	s := kubetest.Start(t, kubetest.WithPrograms(map[string]kubetest.Program{"h0": program, "h1": program}))
	b := memstore.New()
	run := &restore.Run{St: b, Stage: repository.NewStaging(b, "uid")}
	run.Restore.Name = "r"
	run.Restore.Spec.Hooks = hooksFor(t, "app Fail 0s", "app Fail 0s")
	var records []restore.Record
	for i := range n {
		pod := kubetest.NewPod("n", fmt.Sprintf("p%d", i), "app")
		pod.Labels = map[string]string{"velero.io/restore-name": "r"}
		pod.Status = corev1.PodStatus{Phase: corev1.PodPending}
		s.Put(pod)
		records = append(records, restore.Record{Resource: "pods", Kind: "Pod", Namespace: "n", Name: pod.Name, Action: "created", Hooks: 2})
	}
	records = append(records, restore.Record{Resource: "pods", Kind: "Pod", Namespace: "n", Name: "failed", Action: "failed", Hooks: 2})
	if err := run.Stage.Put(t.Context(), repository.RecordsDir+"00.json", records); err != nil {
		t.Fatal(err)
	}
	startPods(t, s, n)
	client, began := s.Client(), time.Now()
	return s, func() *hookRun {
		h := &hookRun{service: &restore.Service{Kube: client}, run: run, began: began, until: began.Add(time.Minute)}
		if err := h.loadPods(t.Context()); err != nil {
			t.Fatal(err)
		}
		return h
	}
}

// startPods plays the kubelets: it starts the containers of a pod each millisecond.
func startPods(t *testing.T, s *kubetest.Server, n int) {
	t.Helper()
	var playing sync.WaitGroup
	playing.Go(func() {
		for i := range n {
			time.Sleep(time.Millisecond)
			kubetest.Modify(s, kube.Pods(), "n", fmt.Sprintf("p%d", i), kubetest.StartContainers)
		}
	})
	t.Cleanup(playing.Wait)
}

func countCommands(s *kubetest.Server) int {
	n := 0
	for _, commands := range s.Commands() {
		n += len(commands)
	}
	return n
}

func TestHooksOfManyPods(t *testing.T) {
	s, newRun := hookedPods(t, 200, kubetest.Sleep(20*time.Millisecond))
	h := newRun()
	if err := h.runHooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	res, err := h.storeResult(t.Context())
	if want := (contract.HookCounts{Attempted: 400}); err != nil || res.Hooks != want || res.Errors+res.Warnings > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	ran := s.Commands()
	if len(ran) != 200 {
		t.Errorf("%d pods had hooks run", len(ran))
	}
	for pod, commands := range ran {
		if !slices.Equal(commands, []string{"h0", "h1"}) {
			t.Errorf("%s ran %q", pod, commands)
		}
	}
	if most := s.MostCommands(); most > maxPodsAtOnce || most < maxPodsAtOnce/2 {
		t.Errorf("%d commands at a time", most)
	}
	// A look before each command is Exec's; waiting for many is a list.
	gets, lists := s.Count(kubetest.On("get", kube.Pods())), s.Count(kubetest.On("list", kube.Pods()))
	if gets > 400+2*maxSingleReads || lists == 0 {
		t.Errorf("%d gets, %d lists", gets, lists)
	}
}

func TestHooksGoOnWhereALostWorkerWas(t *testing.T) {
	ctx, kill := context.WithCancel(t.Context())
	var begun atomic.Int32
	s, newRun := hookedPods(t, 30, func(e *kubetest.Exec) int {
		if begun.Add(1) == 25 {
			kill()
		}
		return kubetest.Sleep(20 * time.Millisecond)(e)
	})
	if err := newRun().runHooks(ctx); err == nil {
		t.Fatal("the first worker was not lost")
	}
	first := countCommands(s)
	h := newRun()
	if err := h.runHooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	res, err := h.storeResult(t.Context())
	if want := (contract.HookCounts{Attempted: 60}); err != nil || res.Hooks != want || res.Errors > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	total := 0
	for pod, commands := range s.Commands() {
		total += len(commands)
		if got := slices.Compact(slices.Clone(commands)); !slices.Equal(got, []string{"h0", "h1"}) || len(commands) > 3 {
			t.Errorf("%s ran %q", pod, commands)
		}
	}
	// A hook that was about to begin is reported too: nobody can tell.
	if again := total - 60; again > res.Warnings || res.Warnings > maxPodsAtOnce || first < 25 || first > 25+maxPodsAtOnce {
		t.Errorf("%d commands ran again, %d are reported, %d at first", again, res.Warnings, first)
	}
}

// recordWrites are the writes of what became of a pod's hooks: one before a hook, one with its
// process, one after it.
func recordWrites() memstore.Match { return memstore.On(memstore.OpPut).Key("n/p0.json") }

// TestHookWaitsForItsRecord: a store that does not take the record of a hook's process delays
// the hook, and does not fail it.
func TestHookWaitsForItsRecord(t *testing.T) {
	t.Parallel()
	s, newRun := hookedPods(t, 1, kubetest.Exit(0))
	h := newRun()
	h.run.St.(*memstore.Store).Fail(recordWrites().After(1).Times(1), errors.New("the store is away"))
	if err := h.runHooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	counts, reasons := h.pods[0].countOutcomes()
	if want := (contract.HookCounts{Attempted: 2}); counts != want || len(reasons) > 0 {
		t.Errorf("%+v, %v", counts, reasons)
	}
	if ran := s.Commands()["n/p0"]; !slices.Equal(ran, []string{"h0", "h1"}) {
		t.Errorf("ran %q", ran)
	}
}

// TestHookOfAWorkerLostBeforeTheRecord: its command has not run, and runs once.
func TestHookOfAWorkerLostBeforeTheRecord(t *testing.T) {
	t.Parallel()
	s, newRun := hookedPods(t, 1, kubetest.Exit(0))
	ctx, lose := context.WithCancel(t.Context())
	h := newRun()
	writes := 0
	h.run.St.(*memstore.Store).Intercept(func(_ context.Context, r memstore.Request) error {
		if recordWrites()(r) {
			if writes++; writes == 2 {
				lose()
			}
		}
		return nil
	})
	if err := h.runHooks(ctx); err == nil {
		t.Fatal("the worker was not lost")
	}
	if n := countCommands(s); n > 0 {
		t.Errorf("the lost worker ran %q", s.Commands())
	}
	if err := newRun().runHooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ran := s.Commands()["n/p0"]; !slices.Equal(ran, []string{"h0", "h1"}) {
		t.Errorf("ran %q", ran)
	}
}

// TestHooksSayWhatTheyWaitFor: a pod that is not up is named, with its container and the cause,
// and then the hooks that run.
func TestHooksSayWhatTheyWaitFor(t *testing.T) {
	t.Parallel()
	running, seen := make(chan struct{}), make(chan struct{})
	s, newRun := hookedPods(t, 0, func(*kubetest.Exec) int {
		close(running)
		<-seen
		return 0
	})
	pod := kubetest.NewPod("n", "db", "app")
	pod.Labels = map[string]string{"velero.io/restore-name": "r"}
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}},
	}}}
	s.Put(pod)
	h := newRun()
	h.run.Restore.Spec.Hooks = hooksFor(t, "app Fail 0s")
	h.pods = []*podRun{{Namespace: "n", Name: "db"}}
	var mu sync.Mutex
	told := map[string]bool{}
	h.run.WaitsFor = func(what string) {
		mu.Lock()
		defer mu.Unlock()
		if !told[what] && len(told) == 0 {
			kubetest.Modify(s, kube.Pods(), "n", "db", kubetest.StartContainers)
		}
		told[what] = true
	}
	go func() {
		<-running
		time.Sleep(2 * firstReadPause)
		close(seen)
	}()
	if err := h.runHooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pod n/db, container app: it waits to be started (ImagePullBackOff)", "hooks that run in 1 pods"} {
		if !told[want] {
			t.Errorf("%q is not told: %v", want, told)
		}
	}
}
