package quiesce

import (
	"context"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Journal says that the pods of a unit may be quiesced, and by which attempt, and what
// attempts before that one have come to.
type Journal struct {
	Owner string `json:"owner"`
	// Running are the commands that run, by "namespace/name" of their pod.
	Running map[string]exec.Process `json:"running,omitempty"`
	// Instead are the pods that have taken the place of planned ones, by
	// "namespace/name" of those.
	Instead map[string]backup.PodHooks `json:"instead,omitempty"`
	// Freezes counts them, the last included; Thawed says that it has ended, and Why
	// what went wrong in it, as far as its worker could tell.
	Freezes int    `json:"freezes,omitempty"`
	Thawed  bool   `json:"thawed,omitempty"`
	Why     string `json:"why,omitempty"`
	// Reasons and Failed are of the hooks of the last time the pods were quiesced. They count if its
	// snapshots are used.
	Reasons []report.Reason `json:"reasons,omitempty"`
	Failed  int             `json:"failed,omitempty"`
}

// newJournal is the one of an attempt that has found another.
func (q *Quiescer) newJournal(j Journal) Journal {
	return Journal{
		Owner: q.owner, Running: map[string]exec.Process{}, Instead: map[string]backup.PodHooks{}, Freezes: j.Freezes, Why: j.Why,
	}
}

// repeatedReasons is what is left of a journal when the pods are quiesced anew.
func (j Journal) repeatedReasons() Journal {
	var kept Journal
	for _, r := range j.Reasons {
		if r.Code == report.HookRepeated {
			kept.Reasons = append(kept.Reasons, r)
		}
	}
	return kept
}

func (q *Quiescer) journalFile() string { return repository.QuiesceJournalFile(q.unit) }

// writeJournal writes the journal, with what is known of the hooks by now. Whoever writes waits for
// the one before, so that the last one says all.
func (q *Quiescer) writeJournal(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.Journal.Reasons = append(append([]report.Reason{}, q.past.Reasons...), q.reasons...)
	q.Journal.Failed = q.past.Failed + q.counts.Failed
	return q.stage.Put(ctx, q.journalFile(), &q.Journal)
}

// isTakenOver is for a worker that was taken for dead. Without an answer of the store it
// is not: to unquiesce twice is better than not at all.
func (q *Quiescer) isTakenOver(ctx context.Context) bool {
	var now Journal
	err := q.stage.Get(ctx, q.journalFile(), &now)
	return errors.Is(err, store.ErrNotFound) || err == nil && (now.Owner != q.owner || now.Thawed)
}

// Resume unquiesces what an attempt before this one has left quiesced. Its commands are
// ended first. It says whether there was anything.
func (q *Quiescer) Resume(ctx context.Context) (bool, error) {
	if len(q.pods) == 0 {
		return false, nil
	}
	err := q.stage.Get(ctx, q.journalFile(), &q.past)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	q.Journal = q.newJournal(q.past)
	if q.past.Thawed {
		return false, nil
	}
	q.adoptJournal(ctx)
	if err := q.writeJournal(ctx); err != nil {
		return true, err
	}
	return true, q.Unquiesce(ctx, nil)
}

// adoptJournal makes the pods of the journal this attempt's, which may be others than planned,
// and ends the commands that run in them.
func (q *Quiescer) adoptJournal(ctx context.Context) {
	q.Journal.Why = "the worker was lost"
	for i := range q.pods {
		if pod, ok := q.past.Instead[q.planned[i].Key()]; ok {
			q.pods[i], q.Journal.Instead[q.planned[i].Key()] = pod, pod
			q.known[pod.Key()] = true
		}
		pod := &q.pods[i]
		if p, ok := q.past.Running[pod.Key()]; ok {
			if err := exec.End(ctx, q.service.Kube, pod.Namespace, pod.Name, p); err != nil {
				q.addHookFailure(pod, "of a worker that was lost", err)
			}
		}
		if len(pod.Pre) > 0 {
			q.started[pod.Key()] = true
			q.addReason(report.New(report.HookRepeated, "its hooks ran when a worker was lost, and were run again"), pod)
		}
	}
}

// Reuse leaves the pods alone: the snapshots were taken by an attempt before this one,
// while they were quiesced. Its hooks count, and what it had to say of them; those of
// resume do already.
func (q *Quiescer) Reuse(resumed bool) {
	for i := range q.pods {
		q.counts.Attempted += len(q.pods[i].Pre)
		if !resumed {
			q.counts.Attempted += len(q.pods[i].Post)
		}
	}
	q.counts.Failed += q.past.Failed
	q.pods = nil
}

// AllReasons is all that is to be told of the hooks.
func (q *Quiescer) AllReasons() []report.Reason {
	return append(append([]report.Reason{}, q.past.Reasons...), q.reasons...)
}

// IsLast says that this is the last time that the pods may be quiesced.
func (q *Quiescer) IsLast() bool { return q.Journal.Freezes >= backup.MaxQuiesces-1 }

// IsExhausted says that the pods were quiesced as often as they may be.
func (q *Quiescer) IsExhausted() bool {
	return len(q.pods) > 0 && q.Journal.Freezes >= backup.MaxQuiesces
}

// ExhaustedText says why a unit is given up whose pods were quiesced often enough.
func (q *Quiescer) ExhaustedText() string {
	return fmt.Sprintf("its pods were frozen %d times, and no snapshot came of it%s", q.Journal.Freezes, volume.After(q.Journal.Why))
}

// FailAllHooks is the end of a unit of hooks alone that was begun often enough.
func (q *Quiescer) FailAllHooks() {
	for i := range q.pods {
		q.addHookFailure(&q.pods[i], fmt.Sprintf("its hooks were begun %d times", q.Journal.Freezes), errors.New(q.Journal.Why))
	}
}

// HookCounts are the hooks that were run, and that failed.
func (q *Quiescer) HookCounts() contract.HookCounts { return q.counts }

// IsReused says whether the pods are left alone.
func (q *Quiescer) IsReused() bool { return len(q.pods) == 0 }
