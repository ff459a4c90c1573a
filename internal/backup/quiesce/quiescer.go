package quiesce

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// Quiescer runs the hooks of a unit's pods. Before the first command it writes a journal
// to staging, and marks it when the pods are unquiesced: whoever finds it without the mark
// unquiesces them.
type Quiescer struct {
	service *backup.Service
	stage   repository.Staging
	unit    int
	times   backup.QuiesceTimes
	spec    velerov1.BackupHooks // for pods that take the place of planned ones
	planned []backup.PodHooks
	pods    []backup.PodHooks // the planned ones, or their replacements

	owner   string // this attempt, in the journal
	mu      sync.Mutex
	Journal Journal
	// writing is held for each write of the journal, not to be waited for with mu. changes
	// counts the calls of writeJournal, and written is how many of them a write has served.
	writing          sync.Mutex
	changes, written int

	found    Journal         // the journal that an attempt before has left
	begun    map[string]bool // pods in which a pre hook may have run, by "namespace/name"
	known    map[string]bool // pods that are quiesced or to be quiesced, by "namespace/name"
	reasons  []report.Reason
	recorded map[string]hook.Recorded // by "namespace/name" of the value
	counts   contract.HookCounts
}

// New begins an attempt at the pods of a unit. Nothing runs before Resume or Quiesce.
func New(service *backup.Service, run *backup.Run, unit int) *Quiescer {
	q := &Quiescer{
		service: service, stage: run.Staging, unit: unit, times: backup.DefaultQuiesceTimes(), planned: run.Plan.Volumes.Units[unit].Pods, owner: rand.Text(),
		spec: run.Plan.Backup.Spec.Hooks, begun: map[string]bool{}, known: map[string]bool{}, recorded: map[string]hook.Recorded{},
	}
	q.pods = slices.Clone(q.planned)
	for i := range q.planned {
		q.known[q.planned[i].Key()] = true
	}
	q.Journal = q.newJournal(Journal{})
	return q
}

// Quiesce runs the pre hooks of all pods, in parallel. It returns why planned pods are not
// quiesced, by "namespace/name": a hook failed whose onError is Fail. An error is one of the
// store, or the end of ctx.
func (q *Quiescer) Quiesce(ctx context.Context) (map[string]string, error) {
	stopped := map[string]string{}
	if len(q.pods) == 0 {
		return stopped, nil
	}
	q.Journal.Quiesces++
	q.Journal.Unquiesced = false
	q.found = q.found.repeatedReasons() // its other reasons are about snapshots that are not used
	if err := q.writeJournal(ctx); err != nil {
		return nil, err
	}
	if err := q.confirmOwner(ctx); err != nil {
		q.pods = nil // nothing ran: they are left to the later attempt
		return nil, err
	}
	err := q.forEachPod(ctx, func(ctx context.Context, i int) error {
		why, err := q.quiescePod(ctx, i)
		if err == nil && why != "" {
			q.mu.Lock()
			stopped[q.planned[i].Key()] = why
			q.mu.Unlock()
		}
		return err
	})
	if err == nil && len(q.reasons)+len(q.recorded) > 0 {
		err = q.writeJournal(ctx) // an attempt that uses these snapshots has to tell
	}
	return stopped, err
}

// quiescePod runs the pre hooks of one pod, in order, and returns why it is not quiesced, ""
// if it is. A pod or container that is missing is waited for, and so is a replacement of the
// pod, whose hooks are run from the first.
func (q *Quiescer) quiescePod(ctx context.Context, i int) (string, error) {
	end := time.Now().Add(q.times.Before)
	for n := 0; n < len(q.pods[i].Pre); {
		h := q.pods[i].Pre[n]
		printed, err := q.tryHook(ctx, &q.pods[i], h, hookTries{lasts: q.times.Before, again: isUnreachable, recordFirst: true})
		lookup, fatal := q.inspectFailure(ctx, i, h, end, err)
		if fatal != nil {
			return "", fatal
		}
		switch lookup.State {
		case podReplaced:
			n = 0
		case podInUse:
			return q.failInUse(&q.pods[i], h, lookup.Cause), nil
		case podUnused:
			if why := q.recordHook(&q.pods[i], "pre hook "+h.Name, err, isMissing(err)); why != "" && h.Stops() {
				return why, nil
			}
			if n++; err == nil && n == len(q.pods[i].Pre) {
				q.recordValue(&q.pods[i], printed)
			}
		case podAwaited:
		}
	}
	return "", nil
}

// inspectFailure looks what became of a pod whose pre hook ended with err. Only a pod that
// is missing, with volumes to snapshot and a hook whose onError is Fail, needs a look; for
// any other the result of the hook counts. An error ends the attempt, also that of a store
// which does not take the record of a hook: nothing is wrong with the hook.
func (q *Quiescer) inspectFailure(ctx context.Context, i int, h hook.Hook, end time.Time, err error) (podLookup, error) {
	switch {
	case ctx.Err() != nil:
		return podLookup{}, ctx.Err()
	case errors.Is(err, exec.ErrNotRecorded):
		return podLookup{}, err
	}
	if !isMissing(err) || !h.Stops() || len(q.pods[i].Claims) == 0 {
		return podLookup{State: podUnused}, nil
	}
	return q.inspectMissing(ctx, i, end, err)
}

// Unquiesce runs all post hooks of all pods, also of those whose pre hooks failed, because
// these may have got half-way. A hook that fails does not keep the others from running, since
// any of them may be the one that matters. It goes on when ctx ends. It leaves the pods alone if
// another attempt has taken them over meanwhile: that one has quiesced them for its snapshots,
// or unquiesced them. why is what went wrong since Quiesce, for the journal.
func (q *Quiescer) Unquiesce(ctx context.Context, why error) error {
	if len(q.pods) == 0 {
		return nil
	}
	ended := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if q.isTakenOver(ctx, ended) {
		return nil
	}
	err := q.forEachPod(ctx, func(ctx context.Context, i int) error {
		q.unquiescePod(ctx, &q.pods[i])
		return nil
	})
	if err != nil {
		return fmt.Errorf("thaw: %w", err)
	}
	q.Journal.Unquiesced = true
	if why != nil {
		q.Journal.Why = why.Error()
	}
	return q.writeJournal(ctx)
}

// unquiescePod runs the post hooks of a pod. A container that starts again is waited for,
// since a file system stays quiesced over a restart of the container that froze it. Where no
// hook of the pod has begun it is not quiesced, and a container that is out of reach is
// waited for no longer than for a pre hook.
func (q *Quiescer) unquiescePod(ctx context.Context, pod *backup.PodHooks) {
	for _, h := range pod.Post {
		gone := true // nothing is left that a post hook could unquiesce
		lasts := q.times.Before
		if q.wasBegun(pod) {
			lasts = q.times.After
		}
		_, err := q.tryHook(ctx, pod, h, hookTries{lasts: lasts, again: func(err error) bool {
			if isUnreachable(err) {
				return true
			}
			gone = !errors.Is(err, exec.ErrNotRunning) || !q.wasBegun(pod) || !q.isReturning(ctx, pod, h.Container)
			return !gone
		}})
		q.recordHook(pod, "post hook "+h.Name, err, isMissing(err) && gone)
	}
}

// forEachPod works on all pods at the same time, so that no pod stays quiesced while another
// waits for its turn.
func (q *Quiescer) forEachPod(ctx context.Context, fn func(context.Context, int) error) error {
	indexes := make([]int, len(q.pods))
	for i := range indexes {
		indexes[i] = i
	}
	return parallel.ForEach(ctx, len(q.pods), indexes, fn)
}
