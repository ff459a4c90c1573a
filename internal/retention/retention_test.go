package retention_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/retention"
)

func at(hours int) time.Time {
	return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours) * time.Hour)
}

// daily is the nth backup of a daily schedule, kept for a day.
func daily(n int, phase velerov1.BackupPhase) retention.Backup {
	return retention.Backup{
		Name: fmt.Sprintf("nightly-%d", n), Schedule: "nightly", Phase: phase, Ours: true,
		Started: at(24 * n), Completed: at(24 * n), Expires: at(24*n + 24),
	}
}

// damaged is a backup of which a verification has found so.
func damaged(b retention.Backup) retention.Backup {
	b.Damaged = true
	return b
}

func veleros(b retention.Backup) retention.Backup {
	b.Ours = false
	return b
}

func TestDecide(t *testing.T) {
	const completed, partly, failed = velerov1.BackupPhaseCompleted, velerov1.BackupPhasePartiallyFailed, velerov1.BackupPhaseFailed
	single := retention.Backup{Name: "single", Phase: completed, Ours: true, Started: at(0), Completed: at(0), Expires: at(1)}
	change := func(f func(*retention.Backup)) retention.Backup { b := single; f(&b); return b }
	for name, c := range map[string]struct {
		all    []retention.Backup
		policy retention.Policy
		now    time.Time
		want   string // name, and the reason of one that stays
	}{
		"not yet":                     {[]retention.Backup{single}, retention.Policy{}, at(1).Add(-1), ""},
		"its time is over":            {[]retention.Backup{single}, retention.Policy{}, at(1), "single"},
		"never":                       {[]retention.Backup{change(func(b *retention.Backup) { b.Expires = time.Time{} })}, retention.Policy{}, at(9999), ""},
		"it took longer than its TTL": {[]retention.Backup{change(func(b *retention.Backup) { b.Completed = at(5) })}, retention.Policy{}, at(6).Add(-1), ""},
		"an hour after a long one":    {[]retention.Backup{change(func(b *retention.Backup) { b.Completed = at(5) })}, retention.Policy{}, at(6), "single"},
		"somebody said when":          {[]retention.Backup{change(func(b *retention.Backup) { b.Set = true })}, retention.Policy{}, at(1), "single"},
		"said to be over at once":     {[]retention.Backup{change(func(b *retention.Backup) { b.Set, b.Completed = true, at(5) })}, retention.Policy{}, at(5), "single"},
		"held":                        {[]retention.Backup{change(func(b *retention.Backup) { b.Hold = "audit" })}, retention.Policy{}, at(2), "single stays: held: audit"},
		"of Velero":                   {[]retention.Backup{change(func(b *retention.Backup) { b.Ours = false })}, retention.Policy{}, at(2), "single stays: made by Velero, whose own server deletes it"},
		"of Velero, asked for":        {[]retention.Backup{change(func(b *retention.Backup) { b.Ours = false })}, retention.Policy{Velero: true}, at(2), "single"},
		"under way":                   {[]retention.Backup{change(func(b *retention.Backup) { b.Phase = velerov1.BackupPhaseInProgress })}, retention.Policy{}, at(2), "single stays: its phase is InProgress"},
		"unreadable":                  {[]retention.Backup{change(func(b *retention.Backup) { b.Phase = "Unreadable" })}, retention.Policy{}, at(2), "single stays: its phase is Unreadable"},
		"the last of a schedule":      {[]retention.Backup{daily(0, completed), daily(1, completed)}, retention.Policy{Floor: 1}, at(99), "nightly-0, nightly-1 stays: among the last 1 good backups of schedule nightly"},
		"no floor":                    {[]retention.Backup{daily(0, completed), daily(1, completed)}, retention.Policy{}, at(99), "nightly-0, nightly-1"},
		"the later one is Velero's": {
			[]retention.Backup{daily(0, completed), veleros(daily(1, completed))},
			retention.Policy{Floor: 1},
			at(99),
			"nightly-0 stays: among the last 1 good backups of schedule nightly, nightly-1 stays: made by Velero, whose own server deletes it",
		},
		"the later one is Velero's, and ours to delete": {
			[]retention.Backup{daily(0, completed), veleros(daily(1, completed))},
			retention.Policy{Floor: 1, Velero: true},
			at(99),
			"nightly-0, nightly-1 stays: among the last 1 good backups of schedule nightly",
		},
		"all later ones failed": {
			[]retention.Backup{daily(0, completed), daily(1, failed), daily(2, partly)},
			retention.Policy{Floor: 1},
			at(99),
			"nightly-0 stays: among the last 1 good backups of schedule nightly, nightly-1, nightly-2",
		},
		"all later ones are corrupt": {
			[]retention.Backup{daily(0, completed), damaged(daily(1, completed)), damaged(daily(2, partly))},
			retention.Policy{Floor: 1},
			at(99),
			"nightly-0 stays: among the last 1 good backups of schedule nightly, nightly-1, nightly-2",
		},
		"none is whole": {
			[]retention.Backup{daily(0, partly), daily(1, partly), daily(2, failed)},
			retention.Policy{Floor: 1},
			at(99),
			"nightly-0, nightly-1 stays: among the last 1 good backups of schedule nightly, nightly-2",
		},
		"the floor counts those that are not expired": {[]retention.Backup{daily(0, completed), daily(1, completed)}, retention.Policy{Floor: 1}, at(47), "nightly-0"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range retention.Decide(c.all, c.policy, c.now) {
				text := d.Name
				if !d.Delete {
					text += " stays: " + d.Reason
				}
				got = append(got, text)
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), c.want)
			}
		})
	}
}

// TestFloorHolds: whatever backups there are and whatever is deleted again and again, a
// schedule keeps as many good ones as its floor says, and nothing goes before its time.
func TestFloorHolds(t *testing.T) {
	phases := []velerov1.BackupPhase{"Completed", "PartiallyFailed", "Failed", "InProgress", "Unreadable", "Deleting"}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		policy := retention.Policy{Floor: r.IntN(4), Velero: r.IntN(2) == 0}
		all := randomBackups(r, phases)
		good := countGood(all)
		for hour := range 10 {
			now := at(hour * 20)
			gone := map[string]bool{}
			for _, d := range retention.Decide(all, policy, now) {
				gone[d.Name] = d.Delete
				if d.Delete && (now.Before(d.Expires) || now.Before(d.Completed.Add(retention.UsableFor)) || d.Hold != "" || d.Phase == "InProgress" || !d.Ours && !policy.Velero) {
					t.Fatalf("seed %d: %+v goes at %s", seed, d.Backup, now)
				}
			}
			var left []retention.Backup
			for _, b := range all {
				if !gone[b.Name] {
					left = append(left, b)
				}
			}
			all = left
			for schedule, n := range countGood(all) {
				if n < min(policy.Floor, good[schedule]) {
					t.Fatalf("seed %d: schedule %s has %d good backups left, the floor is %d", seed, schedule, n, policy.Floor)
				}
			}
		}
	}
}

func randomBackups(r *rand.Rand, phases []velerov1.BackupPhase) []retention.Backup {
	var all []retention.Backup
	for i := range r.IntN(30) {
		start := at(r.IntN(100))
		b := retention.Backup{
			Name: fmt.Sprint("b", i), Schedule: []string{"", "x", "y"}[r.IntN(3)], Phase: phases[r.IntN(len(phases))], Ours: r.IntN(5) > 0,
			Started: start, Completed: start.Add(time.Duration(r.IntN(40)) * time.Hour), Expires: start.Add(time.Duration(r.IntN(60)) * time.Hour),
		}
		if r.IntN(8) == 0 {
			b.Hold = "audit"
		}
		all = append(all, b)
	}
	return all
}

// countGood counts what a floor is about: backups that hold something.
func countGood(all []retention.Backup) map[string]int {
	n := map[string]int{"x": 0, "y": 0}
	for _, b := range all {
		if b.Schedule != "" && (b.Phase == "Completed" || b.Phase == "PartiallyFailed") {
			n[b.Schedule]++
		}
	}
	return n
}
