package show

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Orphans shows what nothing names any more: those that go, then those that stay.
func Orphans(w io.Writer, plan contract.OrphanPlan, now time.Time) error {
	all := append(append([]contract.Orphan{}, plan.Remove...), plan.Keep...)
	if len(all) == 0 {
		return nil
	}
	if err := orphanTable(w, all, "would be removed", now); err != nil {
		return err
	}
	if more := plan.MoreRemove + plan.MoreKeep; more > 0 {
		_, err := fmt.Fprintf(w, "and %d more: %d would be removed, %d stay\n", more, plan.MoreRemove, plan.MoreKeep)
		return err
	}
	return nil
}

// RemovedOrphans says how many orphans have gone and are left, which the command see shows, and
// shows those that have gone.
func RemovedOrphans(w io.Writer, res contract.GarbageResult, see string, now time.Time) error {
	kept := len(res.Orphans.Keep) + res.Orphans.MoreKeep
	if res.Removed+kept == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s removed; %d left, see '%s'.\n", Plural(int64(res.Removed), "orphan"), kept, see)
	if err != nil || len(res.Gone) == 0 {
		return err
	}
	return orphanTable(w, res.Gone, "removed", now)
}

// orphanTable shows orphans; fate is that of those that have no reason to stay.
func orphanTable(w io.Writer, all []contract.Orphan, fate string, now time.Time) error {
	rows := make([][]string, 0, len(all))
	for _, o := range all {
		rows = append(rows, []string{o.Kind, o.ID, orphanOwner(o), Or(o.Cluster, "<unknown>"), FromNow(o.Since, now), Or(o.Reason, fate)})
	}
	return Table(w, []string{"ORPHAN", "ID", "OF", "CLUSTER", "AGE", "FATE"}, rows)
}

// orphanOwner names the backup or restore that made it.
func orphanOwner(o contract.Orphan) string {
	switch {
	case o.Kind == contract.OrphanLocation:
		return "<none>"
	case o.Backup != "":
		return "backup " + o.Backup
	case o.Restore != "":
		return "restore " + o.Restore
	case o.UID != "":
		return "uid " + o.UID
	case o.Workflow != "":
		return "workflow " + o.Workflow
	}
	return "<unknown>"
}

// Snapshots shows whose the snapshots of the account are.
func Snapshots(w io.Writer, all []contract.SnapshotSummary, now time.Time) error {
	rows := make([][]string, 0, len(all))
	for _, s := range all {
		until := "<unknown>"
		if s.Until != nil {
			until = FromNow(*s.Until, now)
		}
		rows = append(rows, []string{
			s.ID, Or(s.Backup, "<none>"), Or(s.Cluster, "<unknown>"), Or(s.Bucket, "<unknown>"), Or(s.Volume, "<unknown>"),
			strconv.Itoa(int(s.SizeGiB)), FromNow(s.Started, now), s.Kept, until,
		})
	}
	return Table(w, []string{"ID", "BACKUP", "CLUSTER", "BUCKET", "VOLUME", "GIB", "AGE", "KEPT BECAUSE", "UNTIL"}, rows)
}
