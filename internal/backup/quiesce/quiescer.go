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
	pods    []backup.PodHooks // the planned ones, or those in their place

	owner   string // of the journal: this attempt
	mu      sync.Mutex
	Journal Journal
	past    Journal         // as it was found
	started map[string]bool // pods in which a pre hook may have run, by "namespace/name"
	known   map[string]bool // pods that are quiesced or to be quiesced
	reasons []report.Reason
	counts  contract.HookCounts
}

// New is one attempt at the pods of a unit. Nothing runs before Resume or Quiesce.
func New(service *backup.Service, run *backup.Run, unit int) *Quiescer {
	q := &Quiescer{
		service: service, stage: run.Staging, unit: unit, times: backup.DefaultQuiesceTimes(), planned: run.Plan.Volumes.Units[unit].Pods, owner: rand.Text(),
		spec: run.Plan.Backup.Spec.Hooks, started: map[string]bool{}, known: map[string]bool{},
	}
	q.pods = slices.Clone(q.planned)
	for i := range q.planned {
		q.known[q.planned[i].Key()] = true
	}
	q.Journal = q.newJournal(Journal{})
	return q
}

// Quiesce runs the pre hooks of all pods, in parallel, and returns the planned pods of
// which one failed that was to stop. An error is the store's or the end of ctx.
func (q *Quiescer) Quiesce(ctx context.Context) (map[string]string, error) {
	stopped := map[string]string{}
	if len(q.pods) == 0 {
		return stopped, nil
	}
	q.Journal.Freezes++
	q.Journal.Thawed = false
	q.past = q.past.repeatedReasons() // what else it says is of snapshots that are not used
	if err := q.writeJournal(ctx); err != nil {
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
	if err == nil && len(q.reasons) > 0 {
		err = q.writeJournal(ctx) // whoever uses the snapshots has to know
	}
	return stopped, err
}

// quiescePod runs the pre hooks of one pod, in order, and says why it is not quiesced. A
// pod or container that is not there is waited for, and so is the pod that takes its
// place, whose hooks are run from the first.
func (q *Quiescer) quiescePod(ctx context.Context, i int) (string, error) {
	end := time.Now().Add(q.times.Before)
	for n := 0; n < len(q.pods[i].Pre); {
		pod, h := &q.pods[i], q.pods[i].Pre[n]
		err := q.tryHook(ctx, pod, h, q.times.Before, isUnreachable)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		found := unused
		if isMissing(err) && h.Stops() && len(pod.Claims) > 0 {
			var fatal error
			if found, err, fatal = q.inspectMissing(ctx, i, end, err); fatal != nil {
				return "", fatal
			}
		}
		switch found {
		case replaced:
			n = 0
		case inUse:
			return q.failInUse(pod, h, err), nil
		case unused:
			if why := q.recordHook(pod, "pre hook "+h.Name, err, isMissing(err)); why != "" && h.Stops() {
				return why, nil
			}
			n++
		case awaited:
		}
	}
	return "", nil
}

// Unquiesce runs all post hooks of all pods, also of those whose pre hooks failed: they may
// have got half-way. One that fails keeps none of the others, of which one unquiesces. It
// goes on when ctx ends, unless another attempt has taken the pods over meanwhile: it
// has them quiesced, or has unquiesced them. why is what went wrong between.
func (q *Quiescer) Unquiesce(ctx context.Context, why error) error {
	if len(q.pods) == 0 {
		return nil
	}
	ended := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if ended && q.isTakenOver(ctx) {
		return nil
	}
	err := q.forEachPod(ctx, func(ctx context.Context, i int) error {
		q.unquiescePod(ctx, &q.pods[i])
		return nil
	})
	if err != nil {
		return fmt.Errorf("thaw: %w", err)
	}
	q.Journal.Thawed = true
	if why != nil {
		q.Journal.Why = why.Error()
	}
	return q.writeJournal(ctx)
}

// unquiescePod runs the post hooks of a pod. A container that starts again is waited for, since a file system stays
// quiesced without it.
func (q *Quiescer) unquiescePod(ctx context.Context, pod *backup.PodHooks) {
	for _, h := range pod.Post {
		gone := true
		err := q.tryHook(ctx, pod, h, q.times.After, func(err error) bool {
			if isUnreachable(err) {
				return true
			}
			gone = !errors.Is(err, exec.ErrNotRunning) || !q.wasBegun(pod) || !q.isReturning(ctx, pod, h.Container)
			return !gone
		})
		q.recordHook(pod, "post hook "+h.Name, err, isMissing(err) && gone)
	}
}

// forEachPod works on all pods at the same time: while one is quiesced, none should wait.
func (q *Quiescer) forEachPod(ctx context.Context, fn func(context.Context, int) error) error {
	indexes := make([]int, len(q.pods))
	for i := range indexes {
		indexes[i] = i
	}
	return parallel.ForEach(ctx, len(q.pods), indexes, fn)
}
