package hooks

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

const (
	// hooksAtOnce is in how many pods commands run at a time: each costs the API
	// server and a kubelet a connection.
	hooksAtOnce = 16
	// hookLookFirst and hookLookLast are the pauses between two looks at pods that
	// are not up yet; the pause grows.
	hookLookFirst = 200 * time.Millisecond
	hookLookLast  = 3 * time.Second
	// hookLookSingly is up to how many pods are read one by one; more are listed.
	hookLookSingly = 20
)

// Run runs the hooks of the pods that this restore made: in each container as
// soon as it is up, in order, in many pods at a time. What became of a hook is in
// staging before the next one begins, so that a retry goes on where the last attempt
// ended. A hook that ran when a worker died runs again, with a warning. A hook that
// fails is a reason; the errors are those of the cluster or the store.
func Run(ctx context.Context, r *restore.Service, in contract.RunRestoreHooksInput) (contract.HookResult, error) {
	s, err := r.Planned(ctx, in.Ref)
	if err != nil {
		return contract.HookResult{}, err
	}
	h := &hookRun{r: r, s: s, began: in.Began, until: in.Began.Add(in.Wait)}
	if err := h.load(ctx); err != nil {
		return contract.HookResult{}, fmt.Errorf("run hooks: %w", err)
	}
	if err := h.run(ctx); err != nil {
		return contract.HookResult{}, fmt.Errorf("run hooks: %w", err)
	}
	return h.finish(ctx)
}

// hookRun is the hooks of one restore.
type hookRun struct {
	r            *restore.Service
	s            *restore.Run
	began, until time.Time
	pods         []*podRun

	mu   sync.Mutex
	busy map[*podRun]bool // in which commands run now
}

// load finds the pods with hooks in the records, and how far earlier attempts were.
func (h *hookRun) load(ctx context.Context) error {
	h.busy = map[*podRun]bool{}
	err := h.s.Records(ctx, func(rec restore.Record) error {
		if rec.Hooks > 0 && rec.Action == string(report.Created) {
			h.pods = append(h.pods, &podRun{Namespace: rec.Namespace, Name: rec.Name})
		}
		return nil
	})
	if err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(hooksAtOnce)
	for _, p := range h.pods {
		group.Go(func() error { return p.load(gctx, h.s.Stage) })
	}
	return group.Wait()
}

// run goes on until every pod is done. A pod whose containers come up while others
// are still starting does not wait for those.
func (h *hookRun) run(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(hooksAtOnce)
	pause := hookLookFirst
	for gctx.Err() == nil {
		waiting, working := h.waiting()
		if len(waiting) == 0 && working == 0 {
			break
		}
		views, err := h.look(gctx, waiting)
		if err != nil {
			group.Go(func() error { return err })
			break
		}
		for i, p := range waiting {
			if p.choose(h.view(views[i])) {
				h.start(gctx, group, p, views[i])
			}
		}
		pauseFor(gctx, pause)
		pause = min(pause*3/2, hookLookLast)
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// pauseFor waits, or returns at once when ctx ends.
func pauseFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (h *hookRun) start(ctx context.Context, group *errgroup.Group, p *podRun, live *corev1.Pod) {
	h.mu.Lock()
	h.busy[p] = true
	h.mu.Unlock()
	group.Go(func() error {
		defer func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(h.busy, p)
		}()
		return h.work(ctx, p, live)
	})
}

// waiting are the pods with hooks to run in which none runs now.
func (h *hookRun) waiting() (idle []*podRun, working int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.pods {
		if h.busy[p] {
			working++
		} else if !p.finished() {
			idle = append(idle, p)
		}
	}
	return idle, working
}

// look reads pods; nil is one that is gone. Many are listed by the label that all
// objects of a restore carry.
func (h *hookRun) look(ctx context.Context, pods []*podRun) ([]*corev1.Pod, error) {
	out := make([]*corev1.Pod, len(pods))
	var listed map[string]*corev1.Pod
	if len(pods) > hookLookSingly {
		var err error
		selector := resource.LabelRestore + "=" + resource.LabelValue(h.s.Restore.Name)
		if listed, err = kube.ListMap[*corev1.Pod](ctx, h.r.Kube, kube.Pods(), "", selector); err != nil {
			return nil, err
		}
	}
	for i, p := range pods {
		if out[i] = listed[p.Namespace+"/"+p.Name]; out[i] != nil {
			continue
		}
		pod, err := kube.Read[corev1.Pod](ctx, h.r.Kube, kube.Pods(), p.Namespace, p.Name)
		if err != nil && !kube.IsNotFound(err) {
			return nil, err
		}
		if err == nil {
			out[i] = &pod
		}
	}
	return out, nil
}

// finish leaves the outcomes to Finish. It may repeat.
func (h *hookRun) finish(ctx context.Context) (contract.HookResult, error) {
	var res contract.HookResult
	rec := restore.Record{Ran: &res.Hooks}
	for _, p := range h.pods {
		counts, reasons := p.outcome()
		res.Hooks.Add(counts)
		rec.Reasons = append(rec.Reasons, reasons...)
	}
	n := report.Tally(rec.Reasons)
	res.Warnings, res.Errors = n.Warnings, n.Errors
	return res, h.s.Stage.Put(ctx, repository.HookRecordsFile, []restore.Record{rec})
}
