package drill

import (
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// TestGaps: the worst gap lies between good backups of the drill's schedule, wherever they are; one that is
// known to be corrupt is none, nor is one that failed, is another schedule's, or came after the drill was asked for.
func TestGaps(t *testing.T) {
	east, west := memstore.New(), memstore.New()
	for name, n := range map[string]int{"nightly-1": 1, "corrupt": 6, "nightly-12": 12, "nightly-20": 20} {
		putBackup(east, name, "Completed", "nightly", n)
	}
	putBackup(west, "nightly-3", "Completed", "nightly", 3)
	putBackup(west, "nightly-12", "Completed", "nightly", 12) // a copy
	putBackup(east, "failed", "Failed", "nightly", 8)
	putBackup(east, "weekly", "Completed", "weekly", 9)
	bad := beside.Verification{Name: "corrupt", UID: "uid-corrupt", At: time.Now().Add(-time.Hour)}
	bad.AddDamage("x", "digest differs")
	if err := bad.Write(t.Context(), east); err != nil {
		t.Fatal(err)
	}
	s := &Service{Locations: repositorytest.Locations(repositorytest.Stores{"default": east, "west": west})}
	hour := func(n int) time.Time { return time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC) }
	for name, tc := range map[string]struct {
		last  time.Time // when the drill before was asked for
		worst time.Duration
		good  int
	}{
		"the first drill":               {time.Time{}, 9 * time.Hour, 3},
		"the gap has the drill before":  {hour(4), 9 * time.Hour, 1},
		"none since":                    {hour(13), 0, 0},
		"of before the drill before it": {hour(2), 9 * time.Hour, 2},
	} {
		f := &facts{in: contract.SignDrillInput{Asked: hour(15), Plan: contract.DrillPlan{Location: "default"}}}
		f.backup.Labels = map[string]string{repository.LabelSchedule: "nightly"}
		worst, good, err := s.gaps(t.Context(), f, tc.last)
		if err != nil || worst != tc.worst || good != tc.good {
			t.Errorf("%s: %s, %d good, %v; want %s, %d", name, worst, good, err, tc.worst, tc.good)
		}
	}
}

// TestGapsOfNoSchedule: what is taken by hand has no times to be taken at.
func TestGapsOfNoSchedule(t *testing.T) {
	st := memstore.New()
	putBackup(st, "a", "Completed", "", 1)
	putBackup(st, "b", "Completed", "", 9)
	s := &Service{Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
	f := &facts{in: contract.SignDrillInput{Asked: time.Date(2026, 1, 1, 15, 0, 0, 0, time.UTC), Plan: contract.DrillPlan{Location: "default"}}}
	if worst, good, err := s.gaps(t.Context(), f, time.Time{}); err != nil || worst != 0 || good != 1 {
		t.Errorf("%s, %d good, %v", worst, good, err)
	}
}

// TestJudgesGaps: only a drill of the same backups that came to judge them ends the time over which gaps
// are looked for.
func TestJudgesGaps(t *testing.T) {
	of := func(backup string, rpo time.Duration, failed ...evidence.FailureCode) *evidence.Predicate {
		p := &evidence.Predicate{}
		p.Source.Backup.Name, p.Objective.RPO = backup, evidence.MillisOf(rpo)
		for _, code := range failed {
			p.Claim.Failures = append(p.Claim.Failures, evidence.Failure{Code: code})
		}
		return p
	}
	for name, tc := range map[string]struct {
		p        *evidence.Predicate
		wantsRPO bool
		want     bool
	}{
		"passed":                    {of("nightly-20260101020000", time.Hour), true, true},
		"failed by the gap":         {of("nightly-20260101020000", time.Hour, evidence.RPOExceeded), true, true},
		"aborted":                   {of("nightly-20260101020000", time.Hour, evidence.Aborted), true, false},
		"of another schedule":       {of("nightly-shop-20260101020000", time.Hour), true, false},
		"by hand":                   {of("web", time.Hour), true, false},
		"without an RPO":            {of("nightly-20260101020000", 0), true, false},
		"without an RPO, none both": {of("nightly-20260101020000", 0), false, true},
	} {
		if got := judgesGaps(tc.p, "nightly", tc.wantsRPO); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
