package listing_test

import (
	"slices"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
)

func at(minute int) time.Time { return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC) }

func failedRun(name string, started int) temporal.State {
	return temporal.State{Run: temporal.Run{Name: name}, Phase: "Failed", Started: at(started), Closed: at(started + 1)}
}

func TestNameOrder(t *testing.T) {
	names := []string{"b", "daily-20260101000000", "a", "daily-20260103000000", "other-20260102000000", "daily-2026"}
	slices.SortFunc(names, listing.NameOrder())
	want := []string{"a", "b", "daily-2026", "daily-20260103000000", "daily-20260101000000", "other-20260102000000"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestIsUnstored(t *testing.T) {
	for name, tc := range map[string]struct {
		state temporal.State
		want  bool
	}{
		"runs":      {temporal.State{Run: temporal.Run{Name: "a"}, Running: true, Phase: "InProgress"}, true},
		"failed":    {failedRun("a", 1), true},
		"dry run":   {temporal.State{Run: temporal.Run{Name: "a"}, DryRun: true, Phase: "Completed"}, true},
		"completed": {temporal.State{Run: temporal.Run{Name: "a"}, Phase: "Completed"}, false},
		"kept so":   {temporal.State{Run: temporal.Run{Name: "a"}, Phase: "Completed", Result: &contract.RestoreResult{}}, true},
		"partially": {temporal.State{Run: temporal.Run{Name: "a"}, Phase: "PartiallyFailed"}, false},
		"nameless":  {temporal.State{Phase: "Failed"}, false},
	} {
		if got := listing.IsUnstored(tc.state); got != tc.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestApplyBackupDeletions(t *testing.T) {
	rows := []contract.BackupSummary{{Name: "both", Location: "east", Phase: "Completed"}, {Name: "both", Location: "west", Phase: "Completed"}}
	runs := []temporal.State{failedRun("old", 1), failedRun("again", 9)}
	left := listing.ApplyBackupDeletions(rows, runs, []temporal.State{
		failedRun("old", 5), failedRun("old", 0), failedRun("again", 5),
		{Run: temporal.Run{Name: "both", Location: "west"}, Running: true},
	})
	if len(left) != 1 || left[0].Name != "again" {
		t.Errorf("left %+v, want the run after the deletion", left)
	}
	if rows[0].Phase != "Completed" || rows[1].Phase != "Deleting" {
		t.Errorf("rows %+v, want the one in west Deleting", rows)
	}
	if len(runs) != 2 || runs[0].Name != "old" {
		t.Errorf("the runs that were given changed: %+v", runs)
	}
}

func TestKeepLocation(t *testing.T) {
	runs := []temporal.State{{Run: temporal.Run{Name: "a", Location: "east"}}, {Run: temporal.Run{Name: "b", Location: "west"}}}
	if got := listing.KeepLocation(runs, "west"); len(got) != 1 || got[0].Name != "b" {
		t.Errorf("got %+v", got)
	}
	if got := listing.KeepLocation(runs, ""); len(got) != 2 {
		t.Errorf("got %+v", got)
	}
}

// A run that was canceled has no error of its own to count.
func TestRowOfRun(t *testing.T) {
	for phase, errs := range map[string]int{"Failed": 1, "FailedValidation": 1, "Canceled": 0, "Completed": 0} {
		run := failedRun("a", 1)
		run.Phase = phase
		if got := listing.BackupOfRun(run); got.Errors != errs || got.Phase != phase || !got.Created.Equal(at(1)) {
			t.Errorf("backup %s: %+v", phase, got)
		}
		if got := listing.RestoreOfRun(run); got.Errors != errs || got.Completed == nil || !got.Completed.Equal(at(2)) {
			t.Errorf("restore %s: %+v", phase, got)
		}
	}
	run := failedRun("a", 1)
	run.Phase, run.Result = "Completed", &contract.RestoreResult{Errors: 2, Warnings: 3}
	if got := listing.RestoreOfRun(run); got.Errors != 2 || got.Warnings != 3 {
		t.Errorf("stored nowhere: %+v", got)
	}
	if got := listing.RestoreOfRun(temporal.State{Running: true, Started: at(1)}); got.Completed != nil {
		t.Errorf("completed at %v while it runs", got.Completed)
	}
}

func TestDocumentsOfRows(t *testing.T) {
	expires := at(9)
	b := listing.BackupDocument(contract.BackupSummary{
		Name: "a", Phase: "Completed", Errors: 1, Warnings: 2, Objects: 3, Location: "west", Selector: "app=web", Created: at(1), Expires: &expires,
	})
	if b.Kind != "Backup" || b.Name != "a" || b.Spec.StorageLocation != "west" || b.Spec.LabelSelector.MatchLabels["app"] != "web" ||
		b.Status.Phase != "Completed" || b.Status.Errors != 1 || b.Status.Warnings != 2 || b.Status.Progress.ItemsBackedUp != 3 ||
		!b.Status.StartTimestamp.Time.Equal(at(1)) || !b.Status.Expiration.Time.Equal(expires) {
		t.Errorf("backup %+v", b)
	}
	// Several selectors joined by "or" have no place in the one that a list knows.
	if b := listing.BackupDocument(contract.BackupSummary{Selector: "a=b or c=d"}); b.Spec.LabelSelector != nil || b.Status.Expiration != nil {
		t.Errorf("backup %+v", b)
	}
	r := listing.RestoreDocument(contract.RestoreSummary{Name: "r", Backup: "a", Phase: "InProgress", Started: &expires})
	if r.Kind != "Restore" || r.Name != "r" || r.Spec.BackupName != "a" || r.Status.Phase != "InProgress" ||
		!r.Status.StartTimestamp.Time.Equal(expires) || r.Status.CompletionTimestamp != nil {
		t.Errorf("restore %+v", r)
	}
}

func TestParseMatcher(t *testing.T) {
	match, err := listing.ParseMatcher("app=web,tier!=db")
	if err != nil {
		t.Fatal(err)
	}
	if !match(map[string]string{"app": "web"}) || match(map[string]string{"app": "web", "tier": "db"}) || match(nil) {
		t.Error("the selector was not followed")
	}
	if all, err := listing.ParseMatcher(""); err != nil || !all(nil) {
		t.Errorf("no selector leaves something out, %v", err)
	}
	if _, err := listing.ParseMatcher("(("); err == nil {
		t.Error("(( was taken")
	}
}
