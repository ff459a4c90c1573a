package hooks

import (
	"cmp"
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
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// podRun is the hooks of one restored pod and how far each has come. It is written to
// staging before and after each hook, so that the next attempt knows.
type podRun struct {
	Namespace string          `json:"namespace"`
	Name      string          `json:"name"`
	Hooks     []hook.ExecHook `json:"hooks,omitempty"` // as the pod had them when the first ran
	Runs      []hookOutcome   `json:"runs,omitempty"`  // one for each hook

	next    int    // the hook that chooseHook chose
	blocked string // why that hook is given up; empty if it is to be run
	waits   string // if it chose none, which container is not up, and why
}

// hookOutcome is what became of a hook.
type hookOutcome struct {
	State string `json:"state,omitempty"` // one of hookWaits, hookRuns, …
	Text  string `json:"text,omitempty"`  // why the hook failed
	Next  string `json:"next,omitempty"`  // the remedy, if it is not the usual one
	// Again says that an attempt was lost while the hook ran. Left is the command that it
	// may have left running, if it got so far as to start one.
	Again bool          `json:"again,omitempty"`
	Left  *exec.Process `json:"left,omitempty"`
}

// States of a hook.
const (
	hookWaits   = ""
	hookRuns    = "running"
	hookRan     = "ran"
	hookFailed  = "failed"
	hookDropped = "dropped" // a hook before it failed, and its onError is Fail
)

func (p *podRun) stagingFile() string { return repository.PodHooksFile(p.Namespace, p.Name) }

// readEarlier reads how far an earlier attempt has come. A hook that was running when that
// attempt was lost runs again, because nothing tells whether its command came to its end.
func (p *podRun) readEarlier(ctx context.Context, stage repository.Staging) error {
	err := stage.GetLatest(ctx, p.stagingFile(), p)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	for i := range p.Runs {
		if p.Runs[i].State == hookRuns {
			p.Runs[i] = hookOutcome{Again: true, Left: p.Runs[i].Left}
		}
	}
	return err
}

func (p *podRun) isFinished() bool {
	for i := range p.Runs {
		if p.Runs[i].State == hookWaits {
			return false
		}
	}
	return p.Runs != nil
}

// hookView is what is known of a pod at one moment, and by when its hooks have to run.
type hookView struct {
	spec         velerov1.RestoreHooks
	pod          *corev1.Pod // nil if it is gone
	began, until time.Time
	now          time.Time
}

func (h *hookRun) viewOf(pod *corev1.Pod) hookView {
	return hookView{spec: h.run.Restore.Spec.Hooks, pod: pod, began: h.began, until: h.until, now: time.Now()}
}

// chooseHook finds the next hook that can be run, or has to be given up, and reports
// whether there is one. Hooks of one container keep their order, while containers do not
// wait for each other.
func (p *podRun) chooseHook(v hookView) bool {
	p.fixHooks(v)
	waits := map[string]bool{} // containers with a hook that cannot run yet
	for i, h := range p.Hooks {
		if p.Runs[i].State != hookWaits || waits[h.Container] {
			continue
		}
		why, final := v.blockedBy(h)
		if why == "" || final {
			p.next, p.blocked = i, why
			return true
		}
		if len(waits) == 0 {
			p.waits = fmt.Sprintf("container %s: %s", h.Container, why)
		}
		waits[h.Container] = true
	}
	return false
}

// fixHooks decides which hooks the pod has, the first time that it is read: annotations
// that change later must not change what is staged already. A pod that is gone by then has
// one hook without a name, which fails, so that the restore tells of it.
func (p *podRun) fixHooks(v hookView) {
	if p.Runs != nil {
		return
	}
	if v.pod == nil {
		p.Hooks = []hook.ExecHook{{Hook: hook.Hook{Name: "of the pod"}}}
	} else {
		p.Hooks, _, _ = hook.Restore(v.spec, v.pod) // apply has reported its reasons and errors already
	}
	p.Runs = make([]hookOutcome, len(p.Hooks))
}

// blockedBy says why a hook cannot run now, "" if it can, and whether that is final.
func (v hookView) blockedBy(h hook.ExecHook) (why string, final bool) {
	if v.pod == nil {
		return "the pod is gone", true
	}
	if why = hook.Ended(v.pod); why != "" {
		return why, true
	}
	if why = hook.Down(v.pod, h.Container, h.WaitForReady); why == "" {
		return "", false
	}
	if v.now.Before(v.hookDeadline(h)) {
		return why, false
	}
	return fmt.Sprintf("container %s was not up after %s: %s", h.Container, v.hookDeadline(h).Sub(v.began), why), true
}

// hookDeadline is when a hook that cannot run is given up: after its own waitTimeout, and
// never later than the restore's itemOperationTimeout allows.
func (v hookView) hookDeadline(h hook.ExecHook) time.Time {
	if own := v.began.Add(h.WaitTimeout); h.WaitTimeout > 0 && own.Before(v.until) {
		return own
	}
	return v.until
}

// runPod runs the hooks that can run in a pod as it was read, one after the other.
func (h *hookRun) runPod(ctx context.Context, p *podRun, live *corev1.Pod) error {
	for p.chooseHook(h.viewOf(live)) {
		i := p.next
		if p.blocked != "" {
			p.Runs[i].State, p.Runs[i].Text = hookFailed, p.blocked
		} else if again, err := h.runHook(ctx, p, i); err != nil || again {
			return err
		}
		if p.Runs[i].State == hookFailed && p.Hooks[i].Stops() {
			p.dropWaiting()
		}
		if err := h.stagePod(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// dropWaiting gives up the hooks that have not run yet, after one that failed.
func (p *podRun) dropWaiting() {
	for i := range p.Runs {
		if p.Runs[i].State == hookWaits {
			p.Runs[i].State = hookDropped
		}
	}
}

// runHook runs a hook. again says that it has not begun and has to wait for its container
// once more. An error ends the attempt.
func (h *hookRun) runHook(ctx context.Context, p *podRun, i int) (again bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	outcome := &p.Runs[i]
	outcome.State = hookRuns
	if err := h.stagePod(ctx, p); err != nil {
		return false, err
	}
	switch err := h.execHook(ctx, p, i); {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err == nil:
		outcome.State = hookRan
	case mayBeginLater(err) && time.Now().Before(h.viewOf(nil).hookDeadline(p.Hooks[i])):
		outcome.State = hookWaits
		return true, h.stagePod(ctx, p)
	default:
		outcome.State, outcome.Text = hookFailed, err.Error()
		if kube.IsForbidden(err) {
			outcome.Next = exec.Remedy
		}
	}
	return false, nil
}

func (h *hookRun) stagePod(ctx context.Context, p *podRun) error {
	return h.run.Stage.PutLatest(ctx, p.stagingFile(), p)
}

// execHook runs the command of a hook. The command that a lost worker has left running is
// ended first, so that it does not run beside its repetition: its process was recorded before
// it began, where its container has a shell.
func (h *hookRun) execHook(ctx context.Context, p *podRun, i int) error {
	command, outcome := p.Hooks[i], &p.Runs[i]
	if outcome.Left != nil {
		if err := exec.End(ctx, h.service.Kube, p.Namespace, p.Name, *outcome.Left); err != nil {
			return fmt.Errorf("after a worker was lost: %w", err)
		}
	}
	_, err := exec.Run(ctx, h.service.Kube, exec.Request{
		Namespace: p.Namespace, Pod: p.Name, Container: command.Container, Command: command.Command, Timeout: command.Timeout, RecordFirst: true,
		Started: func(ctx context.Context, process exec.Process) error {
			outcome.Left = &process
			return h.stagePod(ctx, p)
		},
	})
	outcome.Left = nil
	return err
}

// mayBeginLater reports whether a command has certainly not begun and may yet, because its
// container is on its way up or cannot be reached now, or the store not be written to.
func mayBeginLater(err error) bool {
	return errors.Is(err, exec.ErrNotRunning) || errors.Is(err, exec.ErrUnreachable) || errors.Is(err, exec.ErrNotRecorded) ||
		kube.IsNotFound(err) || kube.IsUnavailable(err)
}

// countOutcomes counts the hooks of a pod that were run, and gives the reasons for the
// result of the restore.
func (p *podRun) countOutcomes() (contract.HookCounts, []report.Reason) {
	var n contract.HookCounts
	var reasons []report.Reason
	dropped := 0
	for i := range p.Runs {
		outcome, name := &p.Runs[i], p.Hooks[i].Name
		if outcome.State == hookDropped {
			dropped++
			continue
		}
		n.Attempted++
		if outcome.State == hookFailed {
			n.Failed++
			reasons = append(reasons, p.failureReason(name, outcome))
		}
		if outcome.Again {
			reasons = append(reasons, p.newReason(report.HookRepeated, "hook "+name+" may have run when a worker was lost, and was run again"))
		}
	}
	if dropped > 0 {
		reasons = append(reasons, p.newReason(report.HookSkipped, fmt.Sprintf("%d hooks were left out: one before them failed, and its onError is Fail", dropped)))
	}
	return n, reasons
}

func (p *podRun) failureReason(name string, outcome *hookOutcome) report.Reason {
	r := p.newReason(report.HookFailed, "hook "+name+": "+outcome.Text)
	r.Next = cmp.Or(outcome.Next, r.Next)
	return r
}

func (p *podRun) newReason(code report.Code, text string) report.Reason {
	return report.New(code, text).At(resource.Pods, p.Namespace, p.Name)
}
