package backups

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// awaitBackup waits for a backup and tells how it ended.
func (cs Commands) awaitBackup(ctx context.Context, be console.Backend, run temporal.Run) error {
	var res contract.BackupResult
	if err := cs.FollowRun(ctx, be, run, &res); err != nil {
		return cs.FailedRun(run, err)
	}
	cs.Say("Backup %q %s: %s%s, %s in %s; %s.\n", res.Name, res.Phase,
		show.Plural(res.Objects, "object"), volumesText(res.Volumes), show.Bytes(res.Bytes), show.Took(res.Started, res.Completed),
		show.ProblemCounts(res.Warnings, res.Errors))
	cs.SayReasons(res.Reasons, res.Warnings+res.Errors)
	cs.Say("Next: lifeboat backup describe %s, or lifeboat restore create --from-backup %s\n", res.Name, res.Name)
	return console.PhaseOutcome(res.Phase)
}

// volumesText tells of the volumes whose data is safe; none is not worth a word.
func volumesText(n int) string {
	if n == 0 {
		return ""
	}
	return " and " + show.Plural(int64(n), "volume")
}
