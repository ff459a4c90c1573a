package activities

import (
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/hook"
)

const (
	// leastWait is how long each attempt waits for room, also a late one.
	leastWait = time.Minute
	// longestTimeout bounds a timeout of the spec for sums of it.
	longestTimeout = 365 * 24 * time.Hour
)

// shotOf is that of one attempt at a unit. slots is the limit of pending snapshots.
func (p *backupPlan) shotOf(slots int, frozen, last bool, attempt int32) shot {
	wait := p.waitForRoom(slots)
	s := shot{frozen: frozen, last: last, attempt: attempt, until: p.Planned.Add(wait)}
	if least := time.Now().Add(leastWait); s.until.Before(least) {
		s.until = least
	}
	s.late = fmt.Errorf("%w (%d) within %s, which is itemOperationTimeout for every %d volumes of the backup; see what else takes snapshots, raise itemOperationTimeout, or limits.pendingSnapshots of the worker if the account may have more",
		errNoRoom, slots, wait, slots)
	return s
}

// waitForRoom is how long there may be no room for a snapshot, from the plan on. The
// backup's own snapshots come in waves, of which each may last itemOperationTimeout.
func (p *backupPlan) waitForRoom(slots int) time.Duration {
	waves := (p.Volumes.snapshots() + slots - 1) / max(slots, 1)
	return min(min(p.Backup.Spec.ItemOperationTimeout.Duration, longestTimeout)*time.Duration(max(waves, 1)), longestTimeout)
}

// unitTime is how long a unit may take, outages apart: until there is room, and then
// the freezes. 0 is for a backup without units.
func (p *backupPlan) unitTime(slots int) time.Duration {
	if len(p.Volumes.Units) == 0 {
		return 0
	}
	var hooks time.Duration
	for _, u := range p.Volumes.Units {
		for i := range u.Pods {
			hooks = max(hooks, u.Pods[i].longest())
		}
	}
	took := max(min(p.Backup.Spec.CSISnapshotTimeout.Duration, longestTimeout), frozenLimit)
	return p.waitForRoom(slots) + freezesMost*(min(hooks, longestTimeout)+took)
}

// longest is how long the hooks of a pod may take, with all that is waited for; see
// freezer.
func (p *podHooks) longest() time.Duration {
	const ended = 10 * time.Second // until a command is gone that did not end in time
	sum := func(hooks []hook.Hook, tries time.Duration) (d time.Duration) {
		for _, h := range hooks {
			d += min(h.Timeout, longestTimeout/freezesMost) + ended + tries
		}
		return d
	}
	times := usualFreeze()
	return min(sum(p.Pre, 2*times.before)+sum(p.Post, times.after), longestTimeout)
}
