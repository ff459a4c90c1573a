package quiesce

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// hookTries says how a hook is run: again while its error is one that may pass, for so long
// as lasts says, and whether its process has to be recorded before it begins.
type hookTries struct {
	lasts       time.Duration
	again       func(error) bool
	recordFirst bool
}

// tryHook runs a hook until it has run, or its tries are over. What it printed may be secret.
func (q *Quiescer) tryHook(ctx context.Context, pod *backup.PodHooks, h hook.Hook, tries hookTries) (printed []byte, err error) {
	for end := time.Now().Add(tries.lasts); ; {
		printed, err := q.execHook(ctx, pod, h, tries.recordFirst)
		if err == nil || ctx.Err() != nil || !tries.again(err) || time.Now().After(end) {
			return printed, err
		}
		if err := poll.Wait(ctx, q.times.Pause); err != nil {
			return nil, err
		}
	}
}

// isUnreachable reports whether the command has certainly not run, and may run later.
func isUnreachable(err error) bool {
	return errors.Is(err, exec.ErrUnreachable) || errors.Is(err, exec.ErrNotRecorded) || kube.IsUnavailable(err)
}

// hasNotRun reports whether the command has certainly not run.
func hasNotRun(err error) bool {
	return isMissing(err) || isUnreachable(err) || errors.Is(err, exec.ErrNotStarted) || errors.Is(err, exec.ErrNoContainer)
}

// isMissing reports whether there is no such pod, or its container does not run.
func isMissing(err error) bool {
	return apierrors.IsNotFound(err) || errors.Is(err, exec.ErrNotRunning)
}

// recordHook counts a hook and returns why it failed, "" if it did not. A hook that was
// skipped, because there is nothing that it could do, has not failed.
func (q *Quiescer) recordHook(pod *backup.PodHooks, what string, err error, skipped bool) string {
	switch {
	case err == nil:
		q.countHook(false)
	case skipped:
		q.addReason(report.New(report.HookSkipped, what+" was left out: "+err.Error()), pod)
	default:
		q.countHook(true)
		q.addHookFailure(pod, what, err)
		return err.Error()
	}
	return ""
}

// execHook runs the command of a hook. While it runs it stands in the journal, so that the
// next attempt can end it if this worker is lost.
//
// A pre hook stands there before it begins: it cannot run beside its repetition. A post hook
// begins at once, because a pod must not stay quiesced for the store. If its record fails, or
// the worker is lost before it, the command may run beside its repetition.
func (q *Quiescer) execHook(ctx context.Context, pod *backup.PodHooks, h hook.Hook, recordFirst bool) ([]byte, error) {
	key := pod.Key()
	result, err := exec.Run(ctx, q.service.Kube, exec.Request{
		Namespace: pod.Namespace, Pod: pod.Name, Container: h.Container, Command: h.Command, Timeout: h.Timeout, RecordFirst: recordFirst,
		Started: func(ctx context.Context, process exec.Process) error {
			q.mu.Lock()
			q.Journal.Running[key] = process
			q.mu.Unlock()
			return q.writeJournal(ctx)
		},
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.Journal.Running, key)
	q.begun[key] = q.begun[key] || err == nil || !hasNotRun(err)
	return result.Stdout, err
}

// recordValue keeps what the last pre hook of a pod printed, where the pod asks for that.
func (q *Quiescer) recordValue(pod *backup.PodHooks, printed []byte) {
	if pod.Record == "" {
		return
	}
	value, err := hook.NewRecorded(printed, time.Now())
	if err != nil {
		q.addReason(report.New(report.HookInvalid, fmt.Sprintf("the value %s was not recorded: the last pre hook %v", pod.Record, err)), pod)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.recorded[resource.ObjectName(pod.Namespace, pod.Record)] = value
}

// wasBegun reports whether a hook of the pod may have run in this attempt.
func (q *Quiescer) wasBegun(pod *backup.PodHooks) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.begun[pod.Key()]
}

func (q *Quiescer) countHook(failed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts.Attempted++
	if failed {
		q.counts.Failed++
	}
}

func (q *Quiescer) addReason(r report.Reason, pod *backup.PodHooks) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reasons = append(q.reasons, r.At(resource.Pods, pod.Namespace, pod.Name))
}

func (q *Quiescer) addHookFailure(pod *backup.PodHooks, what string, err error) {
	r := report.New(report.HookFailed, what+": "+err.Error())
	if apierrors.IsForbidden(err) {
		r.Next = exec.Remedy
	}
	q.addReason(r, pod)
}
