package backup

import (
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// MaxQuiesces is how often the pods of a unit are quiesced at most: what three attempts have
// failed at does not pass by stopping the application once more.
const MaxQuiesces = 3

// QuiesceTimes are how long the containers of hooks are waited for.
type QuiesceTimes struct {
	// Before is how long a pre hook waits for a container that is out of reach or a pod that
	// is being replaced. Nothing has happened to the application by then.
	Before time.Duration
	// After is how long a post hook is tried: a pod must not stay quiesced because the API
	// server is away for a while, or because its container starts again.
	After time.Duration
	// Pause is the time between two tries.
	Pause time.Duration
}

// DefaultQuiesceTimes returns the times in production. Only tests have shorter ones.
func DefaultQuiesceTimes() QuiesceTimes {
	return QuiesceTimes{Before: 20 * time.Second, After: 10 * time.Minute, Pause: time.Second}
}

const (
	// minCapacityWait is how long each attempt waits for capacity at least, also one that
	// begins when the time of the whole backup is over.
	minCapacityWait = time.Minute
	// longestTimeout bounds timeouts of the spec, so that sums of them do not overflow.
	longestTimeout = 365 * 24 * time.Hour
)

// ReserveOptions says how one attempt at a unit reserves capacity. slots is the limit of
// pending snapshots, quiesced says that pods are quiesced for the unit, last that this is the
// last attempt that may quiesce them.
func (p *Plan) ReserveOptions(slots int, quiesced, last bool, attempt int32) volume.ReserveOptions {
	wait := p.capacityTimeout(slots)
	o := volume.ReserveOptions{Quiesced: quiesced, LastAttempt: last, Attempt: attempt, Deadline: p.Planned.Add(wait)}
	if least := time.Now().Add(minCapacityWait); o.Deadline.Before(least) {
		o.Deadline = least
	}
	o.TooLate = fmt.Errorf("%w (%d) within %s, which is itemOperationTimeout for every %d volumes of the backup; see what else takes snapshots, raise itemOperationTimeout, or limits.pendingSnapshots of the worker if the account may have more",
		volume.ErrNoCapacity, slots, wait, slots)
	return o
}

// capacityTimeout is how long after the plan a snapshot may wait for capacity. The snapshots
// of the backup itself come in waves of as many as may be pending, and each wave may last
// itemOperationTimeout.
func (p *Plan) capacityTimeout(slots int) time.Duration {
	waves := (p.Volumes.snapshotCount() + slots - 1) / max(slots, 1)
	return min(min(p.Backup.Spec.ItemOperationTimeout.Duration, longestTimeout)*time.Duration(max(waves, 1)), longestTimeout)
}

// unitTimeout is how long a unit may take, outages apart: the wait for capacity, and then all
// the times that its pods are quiesced. It is 0 for a backup without units.
func (p *Plan) unitTimeout(slots int) time.Duration {
	if len(p.Volumes.Units) == 0 {
		return 0
	}
	var hooks time.Duration
	for _, u := range p.Volumes.Units {
		for i := range u.Pods {
			hooks = max(hooks, u.Pods[i].hookTimeout())
		}
	}
	snapshot := max(min(p.Backup.Spec.CSISnapshotTimeout.Duration, longestTimeout), volume.QuiesceLimit)
	return p.capacityTimeout(slots) + MaxQuiesces*(min(hooks, longestTimeout)+snapshot)
}

// hookTimeout is how long the hooks of a pod may take, with everything that a Quiescer waits
// for before and after them.
func (p *PodHooks) hookTimeout() time.Duration {
	const ending = 10 * time.Second // to end a command that did not end in time
	sum := func(hooks []hook.Hook, tries time.Duration) (d time.Duration) {
		for _, h := range hooks {
			d += min(h.Timeout, longestTimeout/MaxQuiesces) + ending + tries
		}
		return d
	}
	times := DefaultQuiesceTimes()
	return min(sum(p.Pre, 2*times.Before)+sum(p.Post, times.After), longestTimeout)
}
