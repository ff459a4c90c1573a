package quiesce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// podState is what is known of a pod that is to be quiesced and does not run.
type podState int

const (
	podUnused   podState = iota // nothing uses its volumes, so that there is nothing to quiesce
	podAwaited                  // the pod, or a replacement of it, may still come
	podReplaced                 // another pod has taken its place
	podInUse                    // its volumes are used by what cannot be quiesced
)

// podLookup is what was found of a pod that does not run. Cause says why a pod is podInUse.
type podLookup struct {
	State podState
	Cause error
}

// inspectMissing looks what became of a pod that a hook found missing, with the error
// missing, and waits for a pause if it is to be looked for again, until end at most. An error
// ends the attempt.
func (q *Quiescer) inspectMissing(ctx context.Context, i int, end time.Time, missing error) (podLookup, error) {
	next, used, err := q.findReplacement(ctx, i)
	if ctx.Err() != nil {
		return podLookup{}, ctx.Err()
	}
	if next != nil {
		if replaced, err := q.replacePod(ctx, i, *next); replaced || err != nil {
			return podLookup{State: podReplaced}, err
		}
	}
	switch {
	case time.Now().Before(end):
		return podLookup{State: podAwaited}, poll.Wait(ctx, q.times.Pause)
	case used || err != nil:
		return podLookup{State: podInUse, Cause: errors.Join(missing, err)}, nil
	}
	return podLookup{State: podUnused}, nil
}

// findReplacement looks for the pod that has taken the place of one that is to be quiesced. A
// replacement mounts one of its claims, and has hooks of its own or the same owner. next is
// nil while there is none whose containers run. used says that some pod is, or will be, at
// work on the volumes without being quiesced.
func (q *Quiescer) findReplacement(ctx context.Context, i int) (next *backup.PodHooks, used bool, err error) {
	lost := q.pods[i]
	err = kube.List(ctx, q.service.Kube, kube.Pods(), lost.Namespace, "", func(pod corev1.Pod) error {
		if hook.Ended(&pod) != "" || !mountsAny(&pod, lost.Claims) {
			return nil
		}
		if pod.Name == lost.Name {
			used = true // it is there, and does not run
			return nil
		}
		made, concerned, err := q.replacementHooks(&pod, &lost)
		if err != nil || !concerned || q.isKnown(&made) {
			return err
		}
		used = true
		if next == nil && pod.DeletionTimestamp == nil && len(made.Pre) > 0 {
			next = &made
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("look for the pod in place of %s: %w", lost.Key(), err)
	}
	return next, used, err
}

// replacementHooks returns the hooks of a pod that mounts claims of a lost one: its own or,
// where the owner is the same, those of the lost one. A pod without Pre cannot be quiesced
// yet. concerned says that the pod is a replacement at all.
func (q *Quiescer) replacementHooks(pod *corev1.Pod, lost *backup.PodHooks) (made backup.PodHooks, concerned bool, err error) {
	pre, post, problems, err := hook.Backup(q.spec, pod)
	made = backup.PodHooks{Namespace: pod.Namespace, Name: pod.Name, Owner: backup.ControllerUID(pod), Claims: lost.Claims, Pre: pre, Post: post, Record: lost.Record}
	own := len(pre)+len(post)+len(problems) > 0
	if own || made.Owner == "" || made.Owner != lost.Owner {
		return made, own, err
	}
	if !slices.ContainsFunc(lost.Pre, func(h hook.Hook) bool { return hook.Down(pod, h.Container, false) != "" }) {
		made.Pre, made.Post = lost.Pre, lost.Post
	}
	return made, true, err
}

func (q *Quiescer) isKnown(pod *backup.PodHooks) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.known[pod.Key()]
}

// replacePod puts another pod in the place of a planned one. It reports false if that pod has
// the place of another planned one already. The journal is written first, because the next
// attempt finds there which pods to unquiesce.
func (q *Quiescer) replacePod(ctx context.Context, i int, next backup.PodHooks) (bool, error) {
	q.mu.Lock()
	if q.known[next.Key()] {
		q.mu.Unlock()
		return false, nil
	}
	q.known[next.Key()] = true
	q.pods[i], q.Journal.Replacements[q.planned[i].Key()] = next, next
	q.mu.Unlock()
	return true, q.writeJournal(ctx)
}

// failInUse fails a pre hook whose pod ran when the backup was planned and does not run now,
// while its volumes are in use, or about to be, by what cannot be quiesced.
func (q *Quiescer) failInUse(pod *backup.PodHooks, h hook.Hook, err error) string {
	why := fmt.Sprintf("it ran when the backup was planned and cannot be frozen now: %v", err)
	r := report.New(report.HookFailed, "pre hook "+h.Name+": "+why)
	r.Next = "see that the pod runs, then take the backup again; with on-error Continue the snapshot is taken without the hook"
	q.countHook(true)
	q.addReason(r, pod)
	return why
}

// isReturning reports whether a container that does not run will run again by itself. So may
// one of a pod that cannot be read.
func (q *Quiescer) isReturning(ctx context.Context, of *backup.PodHooks, container string) bool {
	pod, err := kube.Read[corev1.Pod](ctx, q.service.Kube, kube.Pods(), of.Namespace, of.Name)
	if err != nil {
		return !apierrors.IsNotFound(err)
	}
	if hook.Ended(&pod) != "" || pod.DeletionTimestamp != nil {
		return false
	}
	for i := range pod.Status.ContainerStatuses {
		s := &pod.Status.ContainerStatuses[i]
		if end := s.State.Terminated; s.Name == container && end != nil {
			policy := pod.Spec.RestartPolicy
			return policy != corev1.RestartPolicyNever && (policy != corev1.RestartPolicyOnFailure || end.ExitCode != 0)
		}
	}
	return true
}

// mountsAny reports whether a pod mounts one of these claims.
func mountsAny(pod *corev1.Pod, claims []string) bool {
	return slices.ContainsFunc(volume.ClaimsOf(pod), func(c string) bool { return slices.Contains(claims, c) })
}
