package temporal

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// StartRehearsal starts the rehearsal of a backup; errors as StartBackup.
func (c *Client) StartRehearsal(ctx context.Context, in contract.RehearseInput) (Run, error) {
	opts := c.startOptions(KindRehearsal, in.Backup)
	opts.ID = contract.RehearseInID(c.cluster, in.Backup, in.KubernetesVersion)
	opts.StaticSummary = "Rehearse backup " + in.Backup
	if in.KubernetesVersion != "" {
		opts.StaticSummary += " on Kubernetes " + in.KubernetesVersion
	}
	opts.Memo = memoFields(nil, memoBackup, in.Backup, memoLocation, in.Location)
	return c.startRun(ctx, KindRehearsal, in.Backup, opts, in)
}

// EnsureRehearsalSchedule makes the schedule by which new backups are rehearsed, as
// EnsureGarbageSchedule does: which ones, says after. It may repeat.
func (c *Client) EnsureRehearsalSchedule(ctx context.Context, after string) error {
	id := contract.RehearsalsID(c.cluster)
	daily := c.dailySchedule(id, id, contract.RehearsalsWorkflow,
		contract.RehearseBackupsInput{Daily: true, After: after}, enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, "Rehearse new backups")
	return c.ensureSchedule(ctx, daily, "the rehearsal of new backups")
}

// RemoveRehearsalSchedule removes it, for a worker that is to rehearse none. It may repeat.
func (c *Client) RemoveRehearsalSchedule(ctx context.Context) error {
	return c.removeSchedule(ctx, contract.RehearsalsID(c.cluster), "the rehearsal of new backups")
}
