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
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// Quiescer runs the hooks of a unit's pods. Before the first command it leaves a note
// in staging, and marks it when the pods are thawed: whoever finds it without the mark
// thaws them.
type Quiescer struct {
	b       *backup.Service
	stage   repository.Staging
	unit    int
	times   backup.QuiesceTimes
	spec    velerov1.BackupHooks // for pods that take the place of planned ones
	planned []backup.PodHooks
	pods    []backup.PodHooks // the planned ones, or those in their place

	owner   string // of the note, this attempt
	mu      sync.Mutex
	Journal Journal
	past    Journal         // as it was found
	started map[string]bool // pods in which a pre hook may have run, by "namespace/name"
	known   map[string]bool // pods that are frozen or to be frozen
	reasons []report.Reason
	counts  contract.HookCounts
}

func New(b *backup.Service, o *backup.Run, unit int) *Quiescer {
	f := &Quiescer{
		b: b, stage: o.Staging, unit: unit, times: backup.DefaultQuiesceTimes(), planned: o.Plan.Volumes.Units[unit].Pods, owner: rand.Text(),
		spec: o.Plan.Backup.Spec.Hooks, started: map[string]bool{}, known: map[string]bool{},
	}
	f.pods = slices.Clone(f.planned)
	for i := range f.planned {
		f.known[f.planned[i].Key()] = true
	}
	f.Journal = f.newNote(Journal{})
	return f
}

// Quiesce runs the pre hooks of all pods, in parallel, and returns the planned pods of
// which one failed that was to stop. An error is the store's or the end of ctx.
func (f *Quiescer) Quiesce(ctx context.Context) (map[string]string, error) {
	stopped := map[string]string{}
	if len(f.pods) == 0 {
		return stopped, nil
	}
	f.Journal.Freezes++
	f.Journal.Thawed = false
	f.past = f.past.repeated() // what else it says is of snapshots that are not used
	if err := f.put(ctx); err != nil {
		return nil, err
	}
	err := f.forEachPod(ctx, func(ctx context.Context, i int) error {
		why, err := f.freezePod(ctx, i)
		if err == nil && why != "" {
			f.mu.Lock()
			stopped[f.planned[i].Key()] = why
			f.mu.Unlock()
		}
		return err
	})
	if err == nil && len(f.reasons) > 0 {
		err = f.put(ctx) // whoever uses the snapshots has to know
	}
	return stopped, err
}

// freezePod runs the pre hooks of one pod, in order, and says why it is not frozen. A
// pod or container that is not there is waited for, and so is the pod that takes its
// place, whose hooks are run from the first.
func (f *Quiescer) freezePod(ctx context.Context, i int) (string, error) {
	end := time.Now().Add(f.times.Before)
	for n := 0; n < len(f.pods[i].Pre); {
		pod, h := &f.pods[i], f.pods[i].Pre[n]
		err := f.try(ctx, pod, h, f.times.Before, unreachable)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		found := unused
		if missing(err) && h.Stops() && len(pod.Claims) > 0 {
			var fatal error
			if found, err, fatal = f.inspectMissing(ctx, i, end, err); fatal != nil {
				return "", fatal
			}
		}
		switch found {
		case replaced:
			n = 0
		case inUse:
			return f.failInUse(pod, h, err), nil
		case unused:
			if why := f.recordHook(pod, "pre hook "+h.Name, err, missing(err)); why != "" && h.Stops() {
				return why, nil
			}
			n++
		case awaited:
		}
	}
	return "", nil
}

// Unquiesce runs all post hooks of all pods, also of those whose pre hooks failed: they may
// have got half-way. One that fails keeps none of the others, of which one thaws. It
// goes on when ctx ends, unless another attempt has taken the pods over meanwhile: it
// has them frozen, or has thawed them. why is what went wrong between.
func (f *Quiescer) Unquiesce(ctx context.Context, why error) error {
	if len(f.pods) == 0 {
		return nil
	}
	ended := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if ended && f.takenOver(ctx) {
		return nil
	}
	err := f.forEachPod(ctx, func(ctx context.Context, i int) error {
		f.thawPod(ctx, &f.pods[i])
		return nil
	})
	if err != nil {
		return fmt.Errorf("thaw: %w", err)
	}
	f.Journal.Thawed = true
	if why != nil {
		f.Journal.Why = why.Error()
	}
	return f.put(ctx)
}

// thawPod: a container that starts again is waited for, since a file system stays
// frozen without it.
func (f *Quiescer) thawPod(ctx context.Context, pod *backup.PodHooks) {
	for _, h := range pod.Post {
		gone := true
		err := f.try(ctx, pod, h, f.times.After, func(err error) bool {
			if unreachable(err) {
				return true
			}
			gone = !errors.Is(err, kube.ErrNotRunning) || !f.wasBegun(pod) || !f.returns(ctx, pod, h.Container)
			return !gone
		})
		f.recordHook(pod, "post hook "+h.Name, err, missing(err) && gone)
	}
}

// forEachPod works on all pods at the same time: while one is frozen, none should wait.
func (f *Quiescer) forEachPod(ctx context.Context, fn func(context.Context, int) error) error {
	indexes := make([]int, len(f.pods))
	for i := range indexes {
		indexes[i] = i
	}
	return parallel.ForEach(ctx, len(f.pods), indexes, fn)
}
