package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// podRun is the hooks of one restored pod and how far they are. It is written to
// staging before and after each hook.
type podRun struct {
	Namespace string          `json:"namespace"`
	Name      string          `json:"name"`
	Hooks     []hook.ExecHook `json:"hooks,omitempty"` // as the pod had them when the first ran
	Runs      []hookEnd       `json:"runs,omitempty"`  // one for each hook

	next   int    // what choose chose
	cannot string // why it is not to be run; empty: run it
}

// hookEnd is what became of a hook.
type hookEnd struct {
	State string `json:"state,omitempty"` // hookWaits, hookRuns, …
	Text  string `json:"text,omitempty"`  // why it failed
	Next  string `json:"next,omitempty"`  // step, if not the usual one
	// Again says that an attempt was lost while the hook ran; Left is its command,
	// if it got so far.
	Again bool          `json:"again,omitempty"`
	Left  *exec.Process `json:"left,omitempty"`
}

// States of a hook.
const (
	hookWaits   = ""
	hookRuns    = "running"
	hookRan     = "ran"
	hookFailed  = "failed"
	hookDropped = "dropped" // one before it failed, and says to stop
)

func (p *podRun) file() string { return repository.PodHooksFile(p.Namespace, p.Name) }

// load reads what an earlier attempt left. A hook that was running then is to run
// again: nothing tells whether its command went on to its end.
func (p *podRun) load(ctx context.Context, stage repository.Staging) error {
	err := stage.Get(ctx, p.file(), p)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	for i := range p.Runs {
		if p.Runs[i].State == hookRuns {
			p.Runs[i] = hookEnd{Again: true, Left: p.Runs[i].Left}
		}
	}
	return err
}

func (p *podRun) finished() bool {
	for i := range p.Runs {
		if p.Runs[i].State == hookWaits {
			return false
		}
	}
	return p.Runs != nil
}

// hookView is a look at a pod.
type hookView struct {
	spec         velerov1.RestoreHooks
	pod          *corev1.Pod // nil when it is gone
	began, until time.Time
	now          time.Time
}

func (h *hookRun) view(pod *corev1.Pod) hookView {
	return hookView{spec: h.s.Restore.Spec.Hooks, pod: pod, began: h.began, until: h.until, now: time.Now()}
}

// choose finds the next hook that can be run, or be given up, and says whether there
// is one. Hooks of one container keep their order; containers do not wait for each
// other.
func (p *podRun) choose(v hookView) bool {
	p.settle(v)
	behind := map[string]bool{}
	for i, h := range p.Hooks {
		if p.Runs[i].State != hookWaits || behind[h.Container] {
			continue
		}
		why, over := v.judge(h)
		if why == "" || over {
			p.next, p.cannot = i, why
			return true
		}
		behind[h.Container] = true
	}
	return false
}

// settle decides once which hooks the pod has. A pod that lost them, or that is gone
// before it was looked at, has one that failed, or none.
func (p *podRun) settle(v hookView) {
	if p.Runs != nil {
		return
	}
	if v.pod == nil {
		p.Hooks = []hook.ExecHook{{Hook: hook.Hook{Name: "of the pod"}}}
	} else {
		p.Hooks, _, _ = hook.Restore(v.spec, v.pod) // its reasons and errors are those of countHooks
	}
	p.Runs = make([]hookEnd, len(p.Hooks))
}

// judge says why a hook cannot run now, and whether that is final.
func (v hookView) judge(h hook.ExecHook) (why string, over bool) {
	if v.pod == nil {
		return "the pod is gone", true
	}
	if why = hook.Ended(v.pod); why != "" {
		return why, true
	}
	if why = hook.Down(v.pod, h.Container, h.WaitForReady); why == "" {
		return "", false
	}
	if v.now.Before(v.deadline(h)) {
		return why, false
	}
	return fmt.Sprintf("container %s was not up after %s: %s", h.Container, v.deadline(h).Sub(v.began), why), true
}

// deadline is when a hook that cannot run is given up: by its own waitTimeout, and
// never later than the restore's itemOperationTimeout says.
func (v hookView) deadline(h hook.ExecHook) time.Time {
	if own := v.began.Add(h.WaitTimeout); h.WaitTimeout > 0 && own.Before(v.until) {
		return own
	}
	return v.until
}

// work runs what can be run in a pod as it was seen, hook after hook.
func (h *hookRun) work(ctx context.Context, p *podRun, live *corev1.Pod) error {
	for p.choose(h.view(live)) {
		i := p.next
		if p.cannot != "" {
			p.Runs[i].State, p.Runs[i].Text = hookFailed, p.cannot
		} else if again, err := h.command(ctx, p, i); err != nil || again {
			return err
		}
		if p.Runs[i].State == hookFailed && p.Hooks[i].Stops() {
			p.drop()
		}
		if err := h.s.Stage.Put(ctx, p.file(), p); err != nil {
			return err
		}
	}
	return nil
}

// drop gives up the hooks that have not run yet.
func (p *podRun) drop() {
	for i := range p.Runs {
		if p.Runs[i].State == hookWaits {
			p.Runs[i].State = hookDropped
		}
	}
}

// command runs a hook. again means that it has not begun, and is to wait for its
// container once more; the error is the end of the attempt.
func (h *hookRun) command(ctx context.Context, p *podRun, i int) (again bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	run, end := p.Hooks[i], &p.Runs[i]
	end.State = hookRuns
	if err := h.s.Stage.Put(ctx, p.file(), p); err != nil {
		return false, err
	}
	switch err := h.exec(ctx, p, i); {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err == nil:
		end.State = hookRan
	case later(err) && time.Now().Before(h.view(nil).deadline(run)):
		end.State = hookWaits
		return true, h.s.Stage.Put(ctx, p.file(), p)
	default:
		end.State, end.Text = hookFailed, err.Error()
		if kube.IsForbidden(err) {
			end.Next = exec.Remedy
		}
	}
	return false, nil
}

// exec runs the command of a hook. What a lost worker has left of it is ended first,
// so that it does not run beside its repetition.
func (h *hookRun) exec(ctx context.Context, p *podRun, i int) error {
	run, end := p.Hooks[i], &p.Runs[i]
	if end.Left != nil {
		if err := exec.End(ctx, h.r.Kube, p.Namespace, p.Name, *end.Left); err != nil {
			return fmt.Errorf("after a worker was lost: %w", err)
		}
	}
	_, err := exec.Run(ctx, h.r.Kube, exec.Request{
		Namespace: p.Namespace, Pod: p.Name, Container: run.Container, Command: run.Command, Timeout: run.Timeout,
		Started: func(ctx context.Context, at exec.Process) {
			end.Left = &at
			_ = h.s.Stage.Put(ctx, p.file(), p) // without it a lost worker's command may overlap its repetition
		},
	})
	end.Left = nil
	return err
}

// later says that a command has not begun and may yet: its container is on its way up
// or cannot be reached now.
func later(err error) bool {
	return errors.Is(err, exec.ErrNotRunning) || errors.Is(err, exec.ErrUnreachable) ||
		kube.IsNotFound(err) || kube.IsUnavailable(err)
}

// outcome is what the hooks of a pod come to.
func (p *podRun) outcome() (contract.HookCounts, []report.Reason) {
	var n contract.HookCounts
	var reasons []report.Reason
	note := func(code report.Code, text string) *report.Reason {
		reasons = append(reasons, report.New(code, text).At("pods", p.Namespace, p.Name))
		return &reasons[len(reasons)-1]
	}
	dropped := 0
	for i, end := range p.Runs {
		switch end.State {
		case hookDropped:
			dropped++
			continue
		case hookFailed:
			n.Failed++
			if r := note(report.HookFailed, "hook "+p.Hooks[i].Name+": "+end.Text); end.Next != "" {
				r.Next = end.Next
			}
		}
		n.Attempted++
		if end.Again {
			note(report.HookRepeated, "hook "+p.Hooks[i].Name+" may have run when a worker was lost, and was run again")
		}
	}
	if dropped > 0 {
		note(report.HookSkipped, fmt.Sprintf("%d hooks were left out: one before them failed, and its onError is Fail", dropped))
	}
	return n, reasons
}
