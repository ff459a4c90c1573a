package backup

import (
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// MaxQuiesces is how often the pods of a unit are quiesced: a cause that three attempts
// meet does not pass by stopping the application once more.
const MaxQuiesces = 3

// QuiesceTimes are how long the containers of hooks are waited for.
type QuiesceTimes struct {
	// before pods are quiesced, in which nothing has happened yet, a container may be out of
	// reach or a pod be replaced for so long.
	Before time.Duration
	// after it: a pod must not stay quiesced because the API server is away for a while,
	// or because its container starts again.
	After time.Duration
	Pause time.Duration // between two tries
}

// DefaultQuiesceTimes are those in production; only tests have shorter ones.
func DefaultQuiesceTimes() QuiesceTimes {
	return QuiesceTimes{Before: 20 * time.Second, After: 10 * time.Minute, Pause: time.Second}
}

const (
	// leastWait is how long each attempt waits for room, also a late one.
	leastWait = time.Minute
	// longestTimeout bounds a timeout of the spec for sums of it.
	longestTimeout = 365 * 24 * time.Hour
)

// ReserveOptions is that of one attempt at a unit. slots is the limit of pending snapshots.
func (p *Plan) ReserveOptions(slots int, frozen, last bool, attempt int32) volume.ReserveOptions {
	wait := p.waitForRoom(slots)
	s := volume.ReserveOptions{Quiesced: frozen, LastAttempt: last, Attempt: attempt, Deadline: p.Planned.Add(wait)}
	if least := time.Now().Add(leastWait); s.Deadline.Before(least) {
		s.Deadline = least
	}
	s.TooLate = fmt.Errorf("%w (%d) within %s, which is itemOperationTimeout for every %d volumes of the backup; see what else takes snapshots, raise itemOperationTimeout, or limits.pendingSnapshots of the worker if the account may have more",
		volume.ErrNoCapacity, slots, wait, slots)
	return s
}

// waitForRoom is how long there may be no room for a snapshot, from the plan on. The
// backup's own snapshots come in waves, of which each may last itemOperationTimeout.
func (p *Plan) waitForRoom(slots int) time.Duration {
	waves := (p.Volumes.snapshotCount() + slots - 1) / max(slots, 1)
	return min(min(p.Backup.Spec.ItemOperationTimeout.Duration, longestTimeout)*time.Duration(max(waves, 1)), longestTimeout)
}

// unitTime is how long a unit may take, outages apart: until there is room, and then
// the times that its pods are quiesced. 0 is for a backup without units.
func (p *Plan) unitTime(slots int) time.Duration {
	if len(p.Volumes.Units) == 0 {
		return 0
	}
	var hooks time.Duration
	for _, u := range p.Volumes.Units {
		for i := range u.Pods {
			hooks = max(hooks, u.Pods[i].hookTime())
		}
	}
	took := max(min(p.Backup.Spec.CSISnapshotTimeout.Duration, longestTimeout), volume.QuiesceLimit)
	return p.waitForRoom(slots) + MaxQuiesces*(min(hooks, longestTimeout)+took)
}

// hookTime is how long the hooks of a pod may take, with all that is waited for; see
// Quiescer.
func (p *PodHooks) hookTime() time.Duration {
	const ended = 10 * time.Second // until a command is gone that did not end in time
	sum := func(hooks []hook.Hook, tries time.Duration) (d time.Duration) {
		for _, h := range hooks {
			d += min(h.Timeout, longestTimeout/MaxQuiesces) + ended + tries
		}
		return d
	}
	times := DefaultQuiesceTimes()
	return min(sum(p.Pre, 2*times.Before)+sum(p.Post, times.After), longestTimeout)
}
