// Package orphan finds what nothing names any more, and removes it.
//
//   - orphan.go: the plan; look.go: what a look at the account, the cluster and the bucket
//     shows; names.go: what is named by backups and runs.
//   - decide.go: which is an orphan, and why one stays. It is pure.
//   - locations.go: storage locations that are named, and that the configuration does not have.
//   - drills.go: copies of restore drills that were lost.
//   - remove.go: removes what a plan found, after another look at each.
//   - explain.go: whose the snapshots of the account are.
//
// What is ours carries a digest of the bucket and prefix of its backup, and the name of its
// cluster. An orphan is one with a digest of ours that no manifest, no staged run and no
// running deletion names. Whatever cannot be read may name it: it stays then, and so it does
// for a grace period, and where its backup was listed before and is gone without a deletion.
package orphan

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// rowsPerPlan bounds a plan that travels through a history: a row is some 400 bytes. What more
// there is comes with the next plan.
const rowsPerPlan = 200

// Collector finds and removes the orphans of a cluster.
type Collector struct {
	Cluster   string
	Grace     time.Duration
	Policy    retention.Policy
	Locations *repository.Locations
	Snapshots *location.Set
	Objects   Objects
	Runs      Runs
	Abandon   Abandoner
	// Drills are the copies of drills; nil is not looked for.
	Drills Drills

	handles sync.Map // by place and UID of a backup: the snapshots that it names
	answer  answer
}

// Runs tells whether a run is still alive.
type Runs interface {
	// Closed is true only if the run has ended, or no run is that old.
	Closed(ctx context.Context, run contract.Run) (bool, error)
}

// Abandoner does what a run that ended without cleaning up would have done. Both may repeat.
type Abandoner interface {
	AbandonBackup(ctx context.Context, ref contract.BackupRef) error
	AbandonRestore(ctx context.Context, ref contract.RestoreRef) error
}

// Plan tells which orphans there are and what becomes of each. It changes nothing; unless it
// is a dry run, it remembers which backups each location has.
func (c *Collector) Plan(ctx context.Context, in contract.PlanOrphansInput) (contract.OrphanPlan, error) {
	l, err := c.look(ctx, in)
	if err != nil {
		return contract.OrphanPlan{}, err
	}
	plan := contract.OrphanPlan{Unread: l.unread}
	for _, row := range l.orphans(ctx) {
		if row.Reason == "" {
			plan.Remove = append(plan.Remove, row)
		} else {
			plan.Keep = append(plan.Keep, row)
		}
	}
	plan.Remove, plan.MoreRemove = firstRows(plan.Remove)
	plan.Keep, plan.MoreKeep = firstRows(plan.Keep)
	if in.DryRun {
		return plan, ctx.Err()
	}
	return plan, l.recordSeen(ctx)
}

// firstRows are the oldest.
func firstRows(rows []contract.Orphan) ([]contract.Orphan, int) {
	slices.SortStableFunc(rows, func(a, b contract.Orphan) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	n := min(len(rows), rowsPerPlan)
	return rows[:n], len(rows) - n
}
