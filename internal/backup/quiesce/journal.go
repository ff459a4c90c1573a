package quiesce

import (
	"context"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Journal says that the pods of a unit may be frozen, and by which attempt, and what
// attempts before that one have come to.
type Journal struct {
	Owner string `json:"owner"`
	// Running are the commands that run, by "namespace/name" of their pod.
	Running map[string]kube.ExecProcess `json:"running,omitempty"`
	// Instead are the pods that have taken the place of planned ones, by
	// "namespace/name" of those.
	Instead map[string]backup.PodHooks `json:"instead,omitempty"`
	// Freezes counts them, the last included; Thawed says that it has ended, and Why
	// what went wrong in it, as far as its worker could tell.
	Freezes int    `json:"freezes,omitempty"`
	Thawed  bool   `json:"thawed,omitempty"`
	Why     string `json:"why,omitempty"`
	// Reasons and Failed are of the hooks of the last freeze. They count if its
	// snapshots are used.
	Reasons []report.Reason `json:"reasons,omitempty"`
	Failed  int             `json:"failed,omitempty"`
}

// newNote is the one of an attempt that has found another.
func (f *Quiescer) newNote(found Journal) Journal {
	return Journal{
		Owner: f.owner, Running: map[string]kube.ExecProcess{}, Instead: map[string]backup.PodHooks{}, Freezes: found.Freezes, Why: found.Why,
	}
}

// repeated is what is left of a note when the pods are frozen anew.
func (n Journal) repeated() Journal {
	var kept Journal
	for _, r := range n.Reasons {
		if r.Code == report.HookRepeated {
			kept.Reasons = append(kept.Reasons, r)
		}
	}
	return kept
}

func (f *Quiescer) file() string { return repository.QuiesceJournalFile(f.unit) }

// put writes the note, with what is known of the hooks by now. Whoever writes waits for
// the one before, so that the last one says all.
func (f *Quiescer) put(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Journal.Reasons = append(append([]report.Reason{}, f.past.Reasons...), f.reasons...)
	f.Journal.Failed = f.past.Failed + f.counts.Failed
	return f.stage.Put(ctx, f.file(), &f.Journal)
}

// takenOver is for a worker that was taken for dead. Without an answer of the store it
// is not: to thaw twice is better than not at all.
func (f *Quiescer) takenOver(ctx context.Context) bool {
	var now Journal
	err := f.stage.Get(ctx, f.file(), &now)
	return errors.Is(err, store.ErrNotFound) || err == nil && (now.Owner != f.owner || now.Thawed)
}

// Resume thaws what an attempt before this one has left frozen. Its commands are
// ended first. It says whether there was anything.
func (f *Quiescer) Resume(ctx context.Context) (bool, error) {
	if len(f.pods) == 0 {
		return false, nil
	}
	err := f.stage.Get(ctx, f.file(), &f.past)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f.Journal = f.newNote(f.past)
	if f.past.Thawed {
		return false, nil
	}
	f.takeOver(ctx)
	if err := f.put(ctx); err != nil {
		return true, err
	}
	return true, f.Unquiesce(ctx, nil)
}

// takeOver makes the pods of the note this attempt's, which may be others than planned,
// and ends the commands that run in them.
func (f *Quiescer) takeOver(ctx context.Context) {
	f.Journal.Why = "the worker was lost"
	for i := range f.pods {
		if pod, ok := f.past.Instead[f.planned[i].Key()]; ok {
			f.pods[i], f.Journal.Instead[f.planned[i].Key()] = pod, pod
			f.known[pod.Key()] = true
		}
		pod := &f.pods[i]
		if p, ok := f.past.Running[pod.Key()]; ok {
			if err := f.b.Kube.EndExec(ctx, pod.Namespace, pod.Name, p); err != nil {
				f.failed(pod, "of a worker that was lost", err)
			}
		}
		if len(pod.Pre) > 0 {
			f.started[pod.Key()] = true
			f.reason(report.New(report.HookRepeated, "its hooks ran when a worker was lost, and were run again"), pod)
		}
	}
}

// Reuse leaves the pods alone: the snapshots were taken by an attempt before this one,
// while they were frozen. Its hooks count, and what it had to say of them; those of
// resume do already.
func (f *Quiescer) Reuse(resumed bool) {
	for i := range f.pods {
		f.counts.Attempted += len(f.pods[i].Pre)
		if !resumed {
			f.counts.Attempted += len(f.pods[i].Post)
		}
	}
	f.counts.Failed += f.past.Failed
	f.pods = nil
}

// AllReasons is all that is to be told of the hooks.
func (f *Quiescer) AllReasons() []report.Reason {
	return append(append([]report.Reason{}, f.past.Reasons...), f.reasons...)
}

// IsLast: the pods will not be frozen another time. spent: they were that time already.
func (f *Quiescer) IsLast() bool { return f.Journal.Freezes >= backup.MaxQuiesces-1 }
func (f *Quiescer) IsExhausted() bool {
	return len(f.pods) > 0 && f.Journal.Freezes >= backup.MaxQuiesces
}

// ExhaustedText says why a unit is given up whose pods were frozen often enough.
func (f *Quiescer) ExhaustedText() string {
	return fmt.Sprintf("its pods were frozen %d times, and no snapshot came of it%s", f.Journal.Freezes, volume.After(f.Journal.Why))
}

// FailAllHooks is the end of a unit of hooks alone that was begun often enough.
func (f *Quiescer) FailAllHooks() {
	for i := range f.pods {
		f.failed(&f.pods[i], fmt.Sprintf("its hooks were begun %d times", f.Journal.Freezes), errors.New(f.Journal.Why))
	}
}

// HookCounts are the hooks that were run, and that failed.
func (f *Quiescer) HookCounts() contract.HookCounts { return f.counts }

// IsReused says whether the pods are left alone.
func (f *Quiescer) IsReused() bool { return len(f.pods) == 0 }
