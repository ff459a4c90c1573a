package restores

import (
	"context"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// awaitRestore waits for a restore and tells how it ended.
func (cs Commands) awaitRestore(ctx context.Context, be console.Backend, run temporal.Run) (contract.RestoreResult, error) {
	var res contract.RestoreResult
	if err := cs.FollowRun(ctx, be, run, &res); err != nil {
		return res, cs.FailedRun(run, err)
	}
	cs.Say("%s %s.\n", restoreOutcome(res), show.ProblemCounts(res.Warnings, res.Errors))
	if n := int64(res.Volumes); n > 0 && !res.DryRun {
		cs.Say("%s with the data of the backup.\n", show.Plural(n, "volume"))
	}
	if n := int64(res.Hooks.Attempted); n > 0 && res.DryRun {
		cs.Say("It would run %s in restored pods.\n", show.Plural(n, "hook"))
	} else if n > 0 {
		cs.Say("%s in restored pods, %s failed.\n", show.Plural(n, "hook"), show.Count(int64(res.Hooks.Failed)))
	}
	cs.SayReasons(res.Reasons, res.Warnings+res.Errors)
	return res, nil
}

// restoreOutcome is the first part of what is said of a restore. A dry run's counts
// follow with its plan.
func restoreOutcome(res contract.RestoreResult) string {
	took := show.Took(res.Started, res.Completed)
	if res.DryRun {
		return fmt.Sprintf("Dry run %q of backup %q %s in %s;", res.Name, res.Backup, res.Phase, took)
	}
	return fmt.Sprintf("Restore %q from backup %q %s in %s: %s;", res.Name, res.Backup, res.Phase, took, show.Counts(res.Counts))
}
