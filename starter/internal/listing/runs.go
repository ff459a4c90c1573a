package listing

import (
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// ApplyBackupDeletions marks the rows that are being deleted and gives the runs that no
// deletion came after.
func ApplyBackupDeletions(all []contract.BackupSummary, runs, deletions []temporal.State) []temporal.State {
	latest := map[string]temporal.State{}
	for _, d := range deletions {
		if d.Closed.After(latest[d.Name].Closed) {
			latest[d.Name] = d
		}
		if d.Running {
			markDeleting(all, d)
		}
	}
	return slices.DeleteFunc(slices.Clone(runs), func(r temporal.State) bool { return WasDeletedAfter(r, latest[r.Name]) })
}

// markDeleting shows what a running deletion removes. One that was told no location
// removes the only backup of the name.
func markDeleting(all []contract.BackupSummary, d temporal.State) {
	for i := range all {
		if all[i].Name == d.Name && (d.Location == "" || d.Location == all[i].Location) {
			all[i].Phase = "Deleting"
		}
	}
}

// KeepLocation keeps the runs whose input names the location, all for none.
func KeepLocation(runs []temporal.State, location string) []temporal.State {
	if location == "" {
		return runs
	}
	return slices.DeleteFunc(slices.Clone(runs), func(r temporal.State) bool { return r.Location != location })
}

// IsUnstored is true for a run whose outcome is not in the bucket's lists: one that
// runs or failed, a dry run, and a restore that might write nothing. A finished one that is not
// there otherwise was deleted.
func IsUnstored(s temporal.State) bool {
	return s.Name != "" && (s.Running || s.DryRun || s.Result != nil || !hasResult(s))
}

func hasResult(s temporal.State) bool { return s.Phase == "Completed" || s.Phase == "PartiallyFailed" }

// WasDeletedAfter is true for a run after which somebody deleted its name: what it has to
// tell has been dealt with. A deletion that failed counts too: if there was a
// backup, it is still stored and known from there.
func WasDeletedAfter(run, deletion temporal.State) bool {
	return !run.Running && !deletion.Running && deletion.Closed.After(run.Started)
}

// errorCount counts the one error that ended a run.
func errorCount(s temporal.State) int {
	if s.Running || s.Phase == "Canceled" || hasResult(s) {
		return 0
	}
	return 1
}
