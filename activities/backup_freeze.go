package activities

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// freezeTries is how long a container that cannot be reached is tried before a
	// freeze: nothing has happened yet.
	freezeTries = 20 * time.Second
	// thawTries is how long it is tried after: a pod must not stay frozen because the
	// API server is away for a while.
	thawTries = 10 * time.Minute
	// thawPause is between two tries.
	thawPause = time.Second
)

// freezer runs the hooks of a unit's pods. Before the first command it leaves a note
// in staging, and takes it away when the pods are thawed: whoever finds the note
// thaws them.
type freezer struct {
	b     *Backup
	stage staging
	unit  int
	pods  []podHooks

	owner   string // of the note, this attempt
	mu      sync.Mutex
	note    frozenNote
	reasons []report.Reason
	counts  contract.HookCounts
}

// frozenNote says that the pods of a unit may be frozen, and by which attempt.
type frozenNote struct {
	Owner string `json:"owner"`
	// Running are the commands that run, by "namespace/name" of their pod.
	Running map[string]kube.ExecProcess `json:"running,omitempty"`
}

func (b *Backup) newFreezer(o *opened, unit int) *freezer {
	f := &freezer{b: b, stage: o.stage, unit: unit, pods: o.plan.Volumes.Units[unit].Pods, owner: rand.Text()}
	f.note = f.newNote()
	return f
}

func (f *freezer) newNote() frozenNote {
	return frozenNote{Owner: f.owner, Running: map[string]kube.ExecProcess{}}
}

func (f *freezer) file() string { return fmt.Sprintf("volumes/frozen-%05d.json", f.unit) }

// freeze runs the pre hooks of all pods, in parallel, and returns the pods of which
// one failed that was to stop. An error is the store's or the end of ctx.
func (f *freezer) freeze(ctx context.Context) (map[string]string, error) {
	stopped := map[string]string{}
	if len(f.pods) == 0 {
		return stopped, nil
	}
	if err := f.stage.put(ctx, f.file(), &f.note); err != nil {
		return nil, err
	}
	err := f.each(ctx, func(ctx context.Context, pod *podHooks) error {
		for _, h := range pod.Pre {
			why, err := f.run(ctx, pod, "pre", h, freezeTries)
			if err != nil {
				return err
			}
			if why != "" && h.Stops() {
				f.mu.Lock()
				stopped[objectName(pod.Namespace, pod.Name)] = why
				f.mu.Unlock()
				return nil
			}
		}
		return nil
	})
	return stopped, err
}

// thaw runs the post hooks of all pods, also of those whose pre hooks failed: they
// may have got half-way. It goes on when ctx ends, unless another attempt has taken
// the pods over meanwhile: it has them frozen, or has thawed them.
func (f *freezer) thaw(ctx context.Context) error {
	if len(f.pods) == 0 {
		return nil
	}
	ended := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if ended && f.takenOver(ctx) {
		return nil
	}
	err := f.each(ctx, func(ctx context.Context, pod *podHooks) error {
		for _, h := range pod.Post {
			why, err := f.run(ctx, pod, "post", h, thawTries)
			if err != nil || why != "" && h.Stops() {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("thaw: %w", err)
	}
	return f.stage.remove(ctx, f.file())
}

// takenOver is for a worker that was taken for dead. Without an answer of the store it
// is not: to thaw twice is better than not at all.
func (f *freezer) takenOver(ctx context.Context) bool {
	var now frozenNote
	err := f.stage.get(ctx, f.file(), &now)
	return errors.Is(err, store.ErrNotFound) || err == nil && now.Owner != f.owner
}

// resume thaws what an attempt before this one has left frozen. Its commands are
// ended first. It says whether there was anything.
func (f *freezer) resume(ctx context.Context) (bool, error) {
	if len(f.pods) == 0 {
		return false, nil
	}
	err := f.stage.get(ctx, f.file(), &f.note)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for i := range f.pods {
		pod := &f.pods[i]
		if p, ok := f.note.Running[objectName(pod.Namespace, pod.Name)]; ok {
			if err := f.b.Kube.EndExec(ctx, pod.Namespace, pod.Name, p); err != nil {
				f.failed(pod, "of a worker that was lost", err)
			}
		}
		if len(pod.Pre) > 0 {
			f.reason(report.New(report.HookRepeated, "its hooks ran when a worker was lost, and were run again"), pod)
		}
	}
	f.note = f.newNote()
	if err := f.stage.put(ctx, f.file(), &f.note); err != nil {
		return true, err
	}
	return true, f.thaw(ctx)
}

// spare leaves the pods alone: the snapshots were taken by an attempt that was lost,
// while they were frozen. Its hooks count; those of resume do already.
func (f *freezer) spare(resumed bool) {
	for i := range f.pods {
		f.counts.Attempted += len(f.pods[i].Pre)
		if !resumed {
			f.counts.Attempted += len(f.pods[i].Post)
		}
	}
	f.pods = nil
}

// each works on all pods at the same time: while one is frozen, none should wait.
func (f *freezer) each(ctx context.Context, fn func(context.Context, *podHooks) error) error {
	return inParallel(ctx, len(f.pods), indexes(f.pods), func(ctx context.Context, i int) error {
		return fn(ctx, &f.pods[i])
	})
}

// run runs one hook and says why it failed, "" if it did not or had nothing to do.
// While its container cannot be reached it is tried again, for some time.
func (f *freezer) run(ctx context.Context, pod *podHooks, when string, h hook.Hook, tries time.Duration) (string, error) {
	what := when + " hook " + h.Name
	for end := time.Now().Add(tries); ; {
		err := f.exec(ctx, pod, h)
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case (errors.Is(err, kube.ErrUnreachable) || kube.IsUnavailable(err)) && time.Now().Before(end):
			if err := pause(ctx, thawPause); err != nil {
				return "", err
			}
			continue
		case err == nil:
			f.count(false)
		case kube.IsNotFound(err) || errors.Is(err, kube.ErrNotRunning):
			f.reason(report.New(report.HookSkipped, what+" was left out: "+err.Error()), pod)
		default:
			f.count(true)
			f.failed(pod, what, err)
			return err.Error(), nil
		}
		return "", nil
	}
}

// exec runs the command, and notes that it runs for whoever comes after a lost worker.
func (f *freezer) exec(ctx context.Context, pod *podHooks, h hook.Hook) error {
	key := objectName(pod.Namespace, pod.Name)
	_, err := f.b.Kube.Exec(ctx, kube.ExecRequest{
		Namespace: pod.Namespace, Pod: pod.Name, Container: h.Container, Command: h.Command, Timeout: h.Timeout,
		Started: func(ctx context.Context, at kube.ExecProcess) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.note.Running[key] = at
			_ = f.stage.put(ctx, f.file(), &f.note) // without it a lost worker's command may overlap its repetition
		},
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.note.Running, key)
	return err
}

func (f *freezer) count(failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Attempted++
	if failed {
		f.counts.Failed++
	}
}

func (f *freezer) reason(r report.Reason, pod *podHooks) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reasons = append(f.reasons, r.At(podResource, pod.Namespace, pod.Name))
}

func (f *freezer) failed(pod *podHooks, what string, err error) {
	r := report.New(report.HookFailed, what+": "+err.Error())
	if kube.IsForbidden(err) {
		r.Next = grantExec
	}
	f.reason(r, pod)
}
