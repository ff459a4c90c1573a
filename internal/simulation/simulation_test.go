package simulation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/schedule/preset"
	"github.com/lifeboat-backup/lifeboat/internal/simulation"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

func date(text string) time.Time {
	parsed, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return parsed
}

func schedule(t *testing.T, name, cron string, ttl time.Duration) simulation.Schedule {
	t.Helper()
	parsed, err := timing.Parse(cron, "")
	if err != nil {
		t.Fatal(err)
	}
	return simulation.Schedule{Name: name, Timing: parsed, TTL: ttl, Duration: 10 * time.Minute, Snapshots: 1}
}

func simulate(t *testing.T, p simulation.Plan) *simulation.Result {
	t.Helper()
	res, err := simulation.Simulate(p)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestGFS: after a year the scheme holds 7 daily, 4 weekly and 12 monthly backups.
func TestGFS(t *testing.T) {
	documents, err := preset.Schedules(preset.GFS)
	if err != nil {
		t.Fatal(err)
	}
	plan := simulation.Plan{From: date("2025-01-01 00:00"), Until: date("2026-02-20 00:00"), Policy: retention.Policy{Floor: 1}, Quota: 20}
	for _, d := range documents {
		plan.Schedules = append(plan.Schedules, schedule(t, d.Name, d.Spec.Schedule, d.Spec.Template.TTL.Duration))
	}
	res := simulate(t, plan)
	last := res.Days[len(res.Days)-1]
	if last.Date != "2026-02-19" || last.Kept["daily"] != 7 || last.Kept["weekly"] != 4 || last.Kept["monthly"] != 12 || last.Snapshots != 23 || res.Kept != 23 {
		t.Errorf("the last day is %+v, and %d are kept", last, res.Kept)
	}
	// One of each may be there beside the one it replaces, for as long as it takes to expire.
	if !res.ExceedsQuota() || res.PeakSnapshots < 24 || res.PeakSnapshots > 26 {
		t.Errorf("the peak is %d", res.PeakSnapshots)
	}
	if s := res.Schedules[0]; s.Name != "daily" || s.Due != 415 || s.Ran != 415 || s.Skipped != 0 || s.Deleted != 408 || s.Kept != 7 {
		t.Errorf("got %+v", s)
	}
}

func TestOverlap(t *testing.T) {
	skip := schedule(t, "skip", "0 * * * *", 3*time.Hour)
	skip.Duration = 90 * time.Minute
	buffer := skip
	buffer.Name, buffer.Buffer, buffer.Duration = "buffer", true, 150*time.Minute
	res := simulate(t, simulation.Plan{From: date("2026-01-01 00:30"), Until: date("2026-01-01 06:59"), Schedules: []simulation.Schedule{skip, buffer}})
	var got []string
	for _, r := range res.Runs {
		text := r.Schedule + " due " + r.Due.Format("15:04")
		if r.Skipped != "" {
			text += " skipped"
		}
		if !r.Started.IsZero() {
			text += " from " + r.Started.Format("15:04") + " as " + r.Backup[len(r.Schedule)+9:]
		}
		if !r.Completed.IsZero() {
			text += " to " + r.Completed.Format("15:04")
		}
		got = append(got, text)
	}
	const want = `skip due 01:00 from 01:00 as 010000 to 02:30
buffer due 01:00 from 01:00 as 010000 to 03:30
skip due 02:00 skipped
buffer due 02:00 skipped
skip due 03:00 from 03:00 as 030000 to 04:30
buffer due 03:00 from 03:30 as 030000 to 06:00
skip due 04:00 skipped
buffer due 04:00 skipped
skip due 05:00 from 05:00 as 050000 to 06:30
buffer due 05:00 from 06:00 as 050000
skip due 06:00 skipped
buffer due 06:00`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// TestEnd: what is due at the end belongs to what comes after it, so that a year has its days.
func TestEnd(t *testing.T) {
	midnight, err := timing.Parse("@midnight", "")
	if err != nil {
		t.Fatal(err)
	}
	for until, want := range map[string]int{"2028-01-01 00:00": 365, "2027-01-02 00:00": 1, "2027-01-01 00:00": 0, "2027-01-01 00:01": 1} {
		res := simulate(t, simulation.Plan{From: date("2027-01-01 00:00"), Until: date(until), Schedules: []simulation.Schedule{{Name: "a", Timing: midnight, TTL: time.Hour}}})
		if res.Schedules[0].Due != want || len(res.Runs) != want {
			t.Errorf("until %s: %d are due, want %d", until, res.Schedules[0].Due, want)
		}
	}
}

// TestFloor: a schedule that is due more seldom than its backups are kept has one all the same.
func TestFloor(t *testing.T) {
	rare := schedule(t, "monthly", "@monthly", 24*time.Hour)
	plan := simulation.Plan{From: date("2026-01-01 00:00"), Until: date("2026-12-31 23:00"), Schedules: []simulation.Schedule{rare}}
	for floor, want := range []int{0, 1, 2} {
		plan.Policy.Floor = floor
		if res := simulate(t, plan); res.Kept != want || res.Schedules[0].Ran != 12 {
			t.Errorf("floor %d: %d kept of %d", floor, res.Kept, res.Schedules[0].Ran)
		}
	}
}

func TestRefuses(t *testing.T) {
	ok := schedule(t, "a", "@daily", time.Hour)
	none, negative := ok, ok
	none.TTL, negative.Duration = 0, -1
	for want, p := range map[string]simulation.Plan{
		"before the beginning": {From: date("2026-01-02 00:00"), Until: date("2026-01-01 00:00")},
		"fifty years":          {From: date("1926-01-02 00:00"), Until: date("2026-01-01 00:00")},
		"two schedules":        {Schedules: []simulation.Schedule{ok, ok}},
		"above zero":           {Schedules: []simulation.Schedule{none}},
		"below zero":           {Schedules: []simulation.Schedule{negative}},
	} {
		if _, err := simulation.Simulate(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// BenchmarkYearOfHourly: a year has to take less than a second (TestYearIsFast).
func BenchmarkYearOfHourly(b *testing.B) {
	for b.Loop() {
		if _, err := simulation.Simulate(yearOfHourly()); err != nil {
			b.Fatal(err)
		}
	}
}

func yearOfHourly() simulation.Plan {
	parsed, err := timing.Parse("@hourly", "Europe/Berlin")
	if err != nil {
		panic(err)
	}
	s := simulation.Schedule{Name: "hourly", Timing: parsed, TTL: 8760 * time.Hour, Duration: 10 * time.Minute, Snapshots: 20}
	return simulation.Plan{From: date("2026-01-01 00:00"), Until: date("2027-01-01 00:00"), Policy: retention.Policy{Floor: 1}, Schedules: []simulation.Schedule{s}}
}

func TestYearIsFast(t *testing.T) {
	begin := time.Now()
	res := simulate(t, yearOfHourly())
	if took := time.Since(begin); took > time.Second {
		t.Errorf("took %s", took)
	}
	if res.Schedules[0].Ran != 8760 || len(res.Days) != 365 {
		t.Errorf("%d runs on %d days", res.Schedules[0].Ran, len(res.Days))
	}
}
