package hooks

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

const (
	// maxPodsAtOnce bounds in how many pods commands run at a time, because each command
	// costs the API server and a kubelet a connection.
	maxPodsAtOnce = 16
	// firstReadPause is the pause between the first two reads of pods that are not up yet.
	// It grows by half each time, up to longestReadPause.
	firstReadPause   = 200 * time.Millisecond
	longestReadPause = 3 * time.Second
	// maxSingleReads is how many pods are read one by one at most. More pods than that are
	// read by one list.
	maxSingleReads = 20
)

// Run runs the hooks of the pods that this restore made: in each container as
// soon as it is up, in order, in many pods at a time. What became of a hook is in
// staging before the next one begins, so that a retry goes on where the last attempt
// ended. A hook that ran when a worker was lost runs again, with a warning. A hook that
// fails is a reason in the result; an error is one of the cluster or the store and may pass.
// The heartbeats say which pod is waited for, and why.
func Run(ctx context.Context, r *restore.Service, p *heartbeat.Recorder, in contract.RunRestoreHooksInput) (contract.HookResult, error) {
	s, err := r.Planned(ctx, in.Ref)
	if err != nil {
		return contract.HookResult{}, err
	}
	s.WaitsFor = p.WaitsFor
	h := &hookRun{service: r, run: s, began: in.Began, until: in.Began.Add(in.Wait)}
	if err := h.loadPods(ctx); err != nil {
		return contract.HookResult{}, fmt.Errorf("run hooks: %w", err)
	}
	if err := h.runHooks(ctx); err != nil {
		return contract.HookResult{}, fmt.Errorf("run hooks: %w", err)
	}
	return h.storeResult(ctx)
}

// hookRun runs the hooks of one restore.
type hookRun struct {
	service *restore.Service
	run     *restore.Run
	began   time.Time // when the restore began to run hooks, over all attempts
	until   time.Time // when it stops to wait for containers
	pods    []*podRun

	mu   sync.Mutex
	busy map[*podRun]bool // the pods in which a command runs now
}

// loadPods finds the pods with hooks in the records of the restore, and reads how far
// earlier attempts have come with each.
func (h *hookRun) loadPods(ctx context.Context) error {
	h.busy = map[*podRun]bool{}
	err := h.run.Records(ctx, func(rec restore.Record) error {
		if rec.Hooks > 0 && rec.Action == string(report.Created) {
			h.pods = append(h.pods, &podRun{Namespace: rec.Namespace, Name: rec.Name})
		}
		return nil
	})
	if err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(maxPodsAtOnce)
	for _, p := range h.pods {
		group.Go(func() error { return p.readEarlier(gctx, h.run.Stage) })
	}
	return group.Wait()
}

// runHooks goes on until the hooks of every pod have ended. A pod whose containers come up
// while others are still starting does not wait for those.
func (h *hookRun) runHooks(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(maxPodsAtOnce)
	pause := firstReadPause
	for gctx.Err() == nil {
		done, err := h.startReadyPods(gctx, group)
		if done {
			break
		}
		if err != nil {
			group.Go(func() error { return err }) // which interrupts the hooks that run
			break
		}
		_ = poll.Wait(gctx, pause) // if the context ends meanwhile, so does the loop
		pause = min(pause*3/2, longestReadPause)
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// startReadyPods starts the hooks of all pods in which one can run now, and reports
// whether no pod is left with hooks to run.
func (h *hookRun) startReadyPods(ctx context.Context, group *errgroup.Group) (done bool, err error) {
	idle, working := h.idlePods()
	if len(idle) == 0 && working == 0 {
		return true, nil
	}
	read, err := h.readPods(ctx, idle)
	if err != nil {
		return false, err
	}
	var down []*podRun
	for i, p := range idle {
		if p.chooseHook(h.viewOf(read[i])) {
			h.startPod(ctx, group, p, read[i])
		} else if !p.isFinished() {
			down = append(down, p)
		}
	}
	h.run.TellWait(waitsText(down, working))
	return false, nil
}

// waitsText says what is waited for: containers that are not up, else the hooks that run.
func waitsText(down []*podRun, working int) string {
	if len(down) == 0 {
		return fmt.Sprintf("hooks that run in %d pods", working)
	}
	p := down[0]
	text := "pod " + resource.ObjectName(p.Namespace, p.Name) + ", " + p.waits
	if others := len(down) - 1; others > 0 {
		text += fmt.Sprintf(", and %d others", others)
	}
	return text
}

func (h *hookRun) startPod(ctx context.Context, group *errgroup.Group, p *podRun, live *corev1.Pod) {
	h.mu.Lock()
	h.busy[p] = true
	h.mu.Unlock()
	group.Go(func() error {
		defer func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(h.busy, p)
		}()
		return h.runPod(ctx, p, live)
	})
}

// idlePods returns the pods that have hooks to run and in which none runs now, and the
// number of pods in which one does.
func (h *hookRun) idlePods() (idle []*podRun, working int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.pods {
		if h.busy[p] {
			working++
		} else if !p.isFinished() {
			idle = append(idle, p)
		}
	}
	return idle, working
}

// readPods reads pods; one that is gone is nil.
func (h *hookRun) readPods(ctx context.Context, pods []*podRun) ([]*corev1.Pod, error) {
	listed, err := h.listPods(ctx, len(pods))
	if err != nil {
		return nil, err
	}
	out := make([]*corev1.Pod, len(pods))
	for i, p := range pods {
		if out[i] = listed[resource.ObjectName(p.Namespace, p.Name)]; out[i] != nil {
			continue
		}
		pod, err := kube.Read[corev1.Pod](ctx, h.service.Kube, kube.Pods(), p.Namespace, p.Name)
		switch {
		case err == nil:
			out[i] = &pod
		case !kube.IsNotFound(err):
			return nil, err
		}
	}
	return out, nil
}

// listPods lists the pods of this restore, by the label that all its objects carry, where
// that costs less than to read count pods one by one. A pod that lost the label is not in
// the list and has to be read.
func (h *hookRun) listPods(ctx context.Context, count int) (map[string]*corev1.Pod, error) {
	if count <= maxSingleReads {
		return nil, nil
	}
	selector := resource.LabelRestore + "=" + resource.LabelValue(h.run.Restore.Name)
	return kube.ListMap[*corev1.Pod](ctx, h.service.Kube, kube.Pods(), "", selector)
}

// storeResult writes the outcomes of all hooks where Finish reads them. It may repeat.
func (h *hookRun) storeResult(ctx context.Context) (contract.HookResult, error) {
	var res contract.HookResult
	record := restore.Record{Ran: &res.Hooks}
	for _, p := range h.pods {
		counts, reasons := p.countOutcomes()
		res.Hooks.Add(counts)
		record.Reasons = append(record.Reasons, reasons...)
	}
	n := report.Tally(record.Reasons)
	res.Warnings, res.Errors = n.Warnings, n.Errors
	return res, h.run.Stage.PutLatest(ctx, repository.HookRecordsFile, []restore.Record{record})
}
