package quiesce

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Journal is the document in staging which says that the pods of a unit may be quiesced, by
// which attempt, and how far the attempts have come.
type Journal struct {
	Owner string `json:"owner"` // the attempt; no two have the same
	// Running are the commands that run now, by "namespace/name" of their pod.
	Running map[string]exec.Process `json:"running,omitempty"`
	// Replacements are the pods that have taken the place of planned ones, by
	// "namespace/name" of the planned one.
	Replacements map[string]backup.PodHooks `json:"instead,omitempty"`
	// Quiesces is how often the pods were quiesced, by all attempts. Unquiesced says that
	// the last time has ended, and Why what went wrong then, as far as its worker could tell.
	Quiesces   int    `json:"freezes,omitempty"`
	Unquiesced bool   `json:"thawed,omitempty"`
	Why        string `json:"why,omitempty"`
	// Reasons and Failed are what the hooks came to when the pods were quiesced last. They
	// count in the result if the snapshots of that time are used.
	Reasons []report.Reason `json:"reasons,omitempty"`
	Failed  int             `json:"failed,omitempty"`
	// Recorded are the values that hooks printed then, as Reasons are.
	Recorded map[string]hook.Recorded `json:"recorded,omitempty"`
}

// newJournal begins the journal of this attempt. It goes on counting from the journal that
// an attempt before has left.
func (q *Quiescer) newJournal(left Journal) Journal {
	return Journal{
		Owner: q.owner, Running: map[string]exec.Process{}, Replacements: map[string]backup.PodHooks{}, Quiesces: left.Quiesces, Why: left.Why,
	}
}

// repeatedReasons keeps of a journal what still counts when the pods are quiesced anew: that
// hooks were repeated.
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

// writeJournal writes the journal to staging, with the reasons of the hooks that have ended
// by now. Writes do not overlap, so that the last one has all of them; one serves all calls
// that wait for it, because commands in many pods begin at a time and wait for their records.
func (q *Quiescer) writeJournal(ctx context.Context) error {
	q.mu.Lock()
	q.changes++
	mine := q.changes
	q.mu.Unlock()
	q.writing.Lock()
	defer q.writing.Unlock()
	if q.written >= mine {
		return nil
	}
	journal, serves := q.copyJournal()
	if err := q.stage.PutLatest(ctx, q.journalFile(), &journal); err != nil {
		return err
	}
	q.written = serves
	return nil
}

// copyJournal completes the journal and copies it, with the number of the last call of
// writeJournal by now.
func (q *Quiescer) copyJournal() (Journal, int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.Journal.Reasons = append(append([]report.Reason{}, q.found.Reasons...), q.reasons...)
	q.Journal.Failed = q.found.Failed + q.counts.Failed
	q.Journal.Recorded = q.allRecorded()
	copied := q.Journal
	copied.Running, copied.Replacements = maps.Clone(q.Journal.Running), maps.Clone(q.Journal.Replacements)
	return copied, q.changes
}

// ownerTimeout is how long pods stay quiesced for the question whether they are still this
// attempt's. A store answers in some 50 ms.
const ownerTimeout = time.Second

// errTakenOver says that an attempt was taken for dead.
var errTakenOver = errors.New("a later attempt has begun with the unit")

// ConfirmForget says in staging that the snapshots which the unit has by now are deleted, and
// then that no attempt after this one has begun. One that begins later finds the first, and
// does not use them; one that began before is found by the second, and then nothing is deleted.
func (q *Quiescer) ConfirmForget(ctx context.Context) error {
	if q.found.Owner == "" {
		return nil // the pods were never quiesced: there is nothing that another could use
	}
	if err := q.stage.Put(ctx, q.forgottenFile(), struct{}{}); err != nil {
		return err
	}
	return q.confirmOwner(ctx)
}

// IsForgotten reports whether an attempt has begun to delete the snapshots that the unit has by
// now. It counts only behind Resume, which says that this attempt has begun.
func (q *Quiescer) IsForgotten(ctx context.Context) (bool, error) {
	if q.found.Owner == "" {
		return false, nil
	}
	var doc struct{}
	err := q.stage.Get(ctx, q.forgottenFile(), &doc)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (q *Quiescer) forgottenFile() string { return repository.ForgottenFile(q.unit, q.found.Quiesces) }

// confirmOwner fails unless the latest journal is that of this attempt.
func (q *Quiescer) confirmOwner(ctx context.Context) error {
	var now Journal
	if err := q.stage.GetLatest(ctx, q.journalFile(), &now); err != nil {
		return err
	}
	if now.Owner != q.owner {
		return errTakenOver
	}
	return nil
}

// isTakenOver reports whether another attempt has taken the pods over, because this worker
// was taken for dead. Without an answer of the store it says no: to unquiesce pods twice is
// better than not at all. An attempt whose context has ended has reason to wait for the answer;
// in any other, pods stay quiesced for it no longer than ownerTimeout.
func (q *Quiescer) isTakenOver(ctx context.Context, ended bool) bool {
	if !ended {
		limited, cancel := context.WithTimeout(ctx, ownerTimeout)
		defer cancel()
		ctx = limited
	}
	var now Journal
	err := q.stage.GetLatest(ctx, q.journalFile(), &now)
	return errors.Is(err, store.ErrNotFound) || err == nil && (now.Owner != q.owner || now.Unquiesced)
}

// Resume unquiesces the pods that an attempt before this one has left quiesced, once the
// commands of that attempt are ended. It reports whether there were any.
func (q *Quiescer) Resume(ctx context.Context) (bool, error) {
	if len(q.pods) == 0 {
		return false, nil
	}
	err := q.stage.GetLatest(ctx, q.journalFile(), &q.found)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	q.Journal = q.newJournal(q.found)
	if q.found.Unquiesced {
		q.Journal.Unquiesced = true
		return false, q.writeJournal(ctx) // it says that this attempt has begun
	}
	q.adoptJournal(ctx)
	if err := q.writeJournal(ctx); err != nil {
		return true, err
	}
	return true, q.Unquiesce(ctx, nil)
}

// adoptJournal takes over the pods that the found journal names, which may be others than the
// planned ones, and ends the commands that run in them.
func (q *Quiescer) adoptJournal(ctx context.Context) {
	q.Journal.Why = "the worker was lost"
	for i := range q.pods {
		if pod, ok := q.found.Replacements[q.planned[i].Key()]; ok {
			q.pods[i], q.Journal.Replacements[q.planned[i].Key()] = pod, pod
			q.known[pod.Key()] = true
		}
		pod := &q.pods[i]
		if p, ok := q.found.Running[pod.Key()]; ok {
			if err := exec.End(ctx, q.service.Kube, pod.Namespace, pod.Name, p); err != nil {
				q.addHookFailure(pod, "of a worker that was lost", err)
			}
		}
		if len(pod.Pre) > 0 {
			q.begun[pod.Key()] = true
			q.addReason(report.New(report.HookRepeated, "its hooks ran when a worker was lost, and were run again"), pod)
		}
	}
}

// Reuse leaves the pods alone, because an attempt before this one took the snapshots while
// they were quiesced. The hooks of that attempt count, with their reasons. resumed says that
// Resume has run its post hooks, and counted them.
func (q *Quiescer) Reuse(resumed bool) {
	for i := range q.pods {
		q.counts.Attempted += len(q.pods[i].Pre)
		if !resumed {
			q.counts.Attempted += len(q.pods[i].Post)
		}
	}
	q.counts.Failed += q.found.Failed
	q.pods = nil
}

// AllReasons returns the reasons for the result of the backup that hooks gave.
func (q *Quiescer) AllReasons() []report.Reason {
	return append(append([]report.Reason{}, q.found.Reasons...), q.reasons...)
}

// IsLast reports whether the pods may be quiesced only once more.
func (q *Quiescer) IsLast() bool { return q.Journal.Quiesces >= backup.MaxQuiesces-1 }

// IsExhausted reports whether the pods were quiesced as often as they may be.
func (q *Quiescer) IsExhausted() bool {
	return len(q.pods) > 0 && q.Journal.Quiesces >= backup.MaxQuiesces
}

// ExhaustedText says why a unit is given up whose pods were quiesced as often as they may be.
func (q *Quiescer) ExhaustedText() string {
	return fmt.Sprintf("its pods were frozen %d times, and no snapshot came of it%s", q.Journal.Quiesces, volume.After(q.Journal.Why))
}

// FailAllHooks fails the hooks of a unit without volumes that was begun as often as it may be.
func (q *Quiescer) FailAllHooks() {
	for i := range q.pods {
		q.addHookFailure(&q.pods[i], fmt.Sprintf("its hooks were begun %d times", q.Journal.Quiesces), errors.New(q.Journal.Why))
	}
}

// Recorded returns the values that hooks printed to be recorded, by "namespace/name".
func (q *Quiescer) Recorded() map[string]hook.Recorded {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.allRecorded()
}

// allRecorded is called with the lock.
func (q *Quiescer) allRecorded() map[string]hook.Recorded {
	all := maps.Clone(q.recorded)
	maps.Copy(all, q.found.Recorded)
	return all
}

// HookCounts counts the hooks that were run, and those of them that failed.
func (q *Quiescer) HookCounts() contract.HookCounts { return q.counts }

// IsReused reports whether the pods are left alone: there are none, or Reuse was called.
func (q *Quiescer) IsReused() bool { return len(q.pods) == 0 }
