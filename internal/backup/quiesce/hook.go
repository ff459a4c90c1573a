package quiesce

import (
	"context"
	"errors"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// try runs a hook, and again for some time while its error may pass.
func (f *Quiescer) try(ctx context.Context, pod *backup.PodHooks, h hook.Hook, tries time.Duration, again func(error) bool) error {
	for end := time.Now().Add(tries); ; {
		err := f.exec(ctx, pod, h)
		if err == nil || ctx.Err() != nil || !again(err) || time.Now().After(end) {
			return err
		}
		if err := poll.Wait(ctx, f.times.Pause); err != nil {
			return err
		}
	}
}

// unreachable: the command has certainly not run, and may later.
func unreachable(err error) bool {
	return errors.Is(err, kube.ErrUnreachable) || kube.IsUnavailable(err)
}

// missing: there is no such pod, or its container does not run.
func missing(err error) bool { return kube.IsNotFound(err) || errors.Is(err, kube.ErrNotRunning) }

// recordHook counts a hook and says why it failed; "" if it did not or had nothing to do.
func (f *Quiescer) recordHook(pod *backup.PodHooks, what string, err error, skipped bool) string {
	switch {
	case err == nil:
		f.count(false)
	case skipped:
		f.reason(report.New(report.HookSkipped, what+" was left out: "+err.Error()), pod)
	default:
		f.count(true)
		f.failed(pod, what, err)
		return err.Error()
	}
	return ""
}

// exec runs the command, and notes that it runs for whoever comes after a lost worker.
func (f *Quiescer) exec(ctx context.Context, pod *backup.PodHooks, h hook.Hook) error {
	key := pod.Key()
	_, err := f.b.Kube.Exec(ctx, kube.ExecRequest{
		Namespace: pod.Namespace, Pod: pod.Name, Container: h.Container, Command: h.Command, Timeout: h.Timeout,
		Started: func(ctx context.Context, at kube.ExecProcess) {
			f.mu.Lock()
			f.Journal.Running[key] = at
			f.mu.Unlock()
			_ = f.put(ctx) // without it a lost worker's command may overlap its repetition
		},
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.Journal.Running, key)
	f.started[key] = f.started[key] || err == nil || !missing(err) && !unreachable(err) && !errors.Is(err, kube.ErrNotStarted)
	return err
}

func (f *Quiescer) wasBegun(pod *backup.PodHooks) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started[pod.Key()]
}

func (f *Quiescer) count(failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Attempted++
	if failed {
		f.counts.Failed++
	}
}

func (f *Quiescer) reason(r report.Reason, pod *backup.PodHooks) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reasons = append(f.reasons, r.At(resource.Pods, pod.Namespace, pod.Name))
}

func (f *Quiescer) failed(pod *backup.PodHooks, what string, err error) {
	r := report.New(report.HookFailed, what+": "+err.Error())
	if kube.IsForbidden(err) {
		r.Next = kube.ExecRemedy
	}
	f.reason(r, pod)
}
