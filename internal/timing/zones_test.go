package timing_test

import (
	"archive/zip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// soakVariable, set to anything, takes every zone and time of day (make soak).
const soakVariable = "LIFEBOAT_SOAK"

// allZones are the names of Go's copy of the IANA data base, the one that is compiled in.
func allZones(t *testing.T) []string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var names []string
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	if len(names) < 500 {
		t.Fatalf("only %d zones", len(names))
	}
	return names
}

// TestZonesAreCompiledIn: the programs bring the data base of zones along, for images that have none.
func TestZonesAreCompiledIn(t *testing.T) {
	for _, program := range []string{"starter", "worker"} {
		out, err := exec.Command("go", "list", "-deps", "../../"+program).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if !slices.Contains(strings.Split(string(out), "\n"), "time/tzdata") {
			t.Errorf("%s is built without the data base of zones", program)
		}
	}
}

// years are those of which the promise is made.
func years() (from, until time.Time) {
	return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC)
}

// timesOfDay are some at which clocks change, and one at which none does.
func timesOfDay() []string {
	if os.Getenv(soakVariable) == "" {
		return []string{"0 0", "30 2", "30 23"}
	}
	var all []string
	for hour := range 24 {
		for _, minute := range []int{0, 1, 30, 59} {
			all = append(all, fmt.Sprintf("%d %d", minute, hour))
		}
	}
	return all
}

// localDates counts the dates that clocks of a zone show, by looking at every hour.
func localDates(zone *time.Location, from, until time.Time) map[string]int {
	dates, day := map[string]int{}, 0
	for at := from; at.Before(until); at = at.Add(time.Hour) {
		if local := at.In(zone); local.YearDay() != day {
			day, dates[local.Format(time.DateOnly)] = local.YearDay(), 0
		}
	}
	return dates
}

// TestOnceADay: in every zone, 2024 to 2034, a daily schedule is due exactly once on each
// local day. Of zones whose clocks show the same in these years, as most names of the data base
// do, one is enough; make soak takes each.
func TestOnceADay(t *testing.T) {
	from, until := years()
	checked := map[string]bool{}
	for _, name := range allZones(t) {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		rules := offsets(zone, from.AddDate(0, 0, -3), until.AddDate(0, 0, 3))
		if os.Getenv(soakVariable) == "" && checked[rules] {
			continue
		}
		checked[rules] = true
		days := localDates(zone, from.AddDate(0, 0, 1), until.AddDate(0, 0, -1))
		for _, clock := range timesOfDay() {
			checkOnceADay(t, zone, clock, days)
		}
	}
	if len(checked) < 60 {
		t.Errorf("only %d kinds of zones", len(checked))
	}
}

// offsets tells how far a zone's clocks are from UTC, and from when on, for some years.
func offsets(zone *time.Location, from, until time.Time) string {
	var text strings.Builder
	for at := from; at.Before(until); {
		_, offset := at.In(zone).Zone()
		if _, at = at.In(zone).ZoneBounds(); at.IsZero() || at.After(until) {
			at = until
		}
		fmt.Fprintln(&text, offset, at.Unix())
	}
	return text.String()
}

func checkOnceADay(t *testing.T, zone *time.Location, clock string, days map[string]int) {
	t.Helper()
	from, until := years()
	clear := func() {
		for day := range days {
			days[day] = 0
		}
	}
	clear()
	for at := range parse(t, clock+" * * *", zone.String()).After(from.AddDate(0, 0, -2)) {
		if at.After(until) {
			break
		}
		if day := at.In(zone).Format(time.DateOnly); hasKey(days, day) {
			days[day]++
		}
	}
	for day, runs := range days {
		if runs != 1 {
			t.Errorf("%s in %s: due %d times on %s", clock, zone, runs, day)
		}
	}
}

func hasKey(days map[string]int, day string) bool { _, ok := days[day]; return ok }

// expressions are schedules of all sorts.
func expressions() []string {
	return []string{"0 2 * * *", "30 23 * * *", "0 3 * * 0", "0 4 1 * *", "@hourly", "*/15 * * * *", "0 */6 * * 1-5", "0 0 13 * FRI", "*/20 1,2 28-31 * *", "0 0 29 2 *", "@every 90m"}
}

// TestCalendarsAreSmall: a schedule of Temporal is stored whole, over and over.
func TestCalendarsAreSmall(t *testing.T) {
	for expression, most := range map[string]int{"0 2 * * *": 40, "0 3 * * 0": 60, "0 4 1 * *": 40, "@hourly": 1, "*/15 * * * *": 1} {
		calendar := parse(t, expression, "Europe/Berlin").Calendar(at(t, "2026-05-04T12:30:00Z"), at(t, "2036-05-04T12:30:00Z"))
		if n := len(calendar.Rules); n > most {
			t.Errorf("%s: %d rules", expression, n)
		}
	}
}

// TestCalendar: the rules are true at exactly the due times.
func TestCalendar(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/Nuuk", "Australia/Lord_Howe", "Africa/Casablanca", "America/Havana", "Pacific/Auckland", "Asia/Kolkata", "America/New_York", "Pacific/Chatham"}
	if os.Getenv(soakVariable) != "" {
		zones = allZones(t)
	}
	from, until := at(t, "2026-05-04T12:30:00Z"), at(t, "2028-08-01T02:00:00Z")
	for _, zone := range zones {
		for _, expression := range expressions() {
			if strings.HasPrefix(expression, "@every") {
				continue
			}
			parsed := parse(t, expression, zone)
			calendar := parsed.Calendar(from, until)
			if len(calendar.Rules) > 150 {
				t.Errorf("%s in %s: %d rules", expression, zone, len(calendar.Rules))
			}
			want := parsed.Between(from.Add(-time.Second), until, 1<<30)
			if got := expand(calendar); !sameTimes(got, want) {
				t.Errorf("%s in %s: the rules are due %d times, the timing %d; the first rule is %v", expression, zone, len(got), len(want), calendar.Rules[0])
			}
		}
	}
}

func TestCalendarOfSteps(t *testing.T) {
	from, until := at(t, "2026-05-04T12:30:00Z"), at(t, "2027-08-01T02:00:00Z")
	if c := parse(t, "@every 90m", "").Calendar(from, until); c.Every != 90*time.Minute || len(c.Rules) > 0 || c.From != from || c.Until != until {
		t.Errorf("got %+v", c)
	}
}

func sameTimes(a, b []time.Time) bool {
	for i := range min(len(a), len(b)) {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// expand asks of each day which of its minutes fit a rule.
func expand(c timing.Calendar) (due []time.Time) {
	for day := c.From.Truncate(24 * time.Hour); !day.After(c.Until); day = day.AddDate(0, 0, 1) {
		var minutes [24 * 60]bool
		for _, r := range c.Rules {
			if has(r.Years, day.Year()) && has(r.Months, int(day.Month())) && has(r.Days, day.Day()) && has(r.Weekdays, int(day.Weekday())) {
				fillMinutes(&minutes, r)
			}
		}
		for minute, isDue := range minutes {
			if at := day.Add(time.Duration(minute) * time.Minute); isDue && !at.Before(c.From) && !at.After(c.Until) {
				due = append(due, at)
			}
		}
	}
	return due
}

func fillMinutes(minutes *[24 * 60]bool, r timing.Rule) {
	for minute := range minutes {
		minutes[minute] = minutes[minute] || has(r.Hours, minute/60) && has(r.Minutes, minute%60)
	}
}

func has(field []timing.Range, value int) bool {
	for _, r := range field {
		if value >= r.First && value <= r.Last && (value-r.First)%r.Step == 0 {
			return true
		}
	}
	return false
}

// TestLastDayOfEachYear: a schedule that is due seldom is looked at for decades, past the tables of
// zones, and comes at its hour in each of them. The last day of a leap year is told wrongly by Go.
// Outside make soak it is each fifth zone.
func TestLastDayOfEachYear(t *testing.T) {
	const years = 84 // of which 2040 is the first that Go tells wrongly
	from := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	for i, name := range allZones(t) {
		if i%5 > 0 && os.Getenv(soakVariable) == "" {
			continue
		}
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		due := parse(t, "0 9 31 12 *", name).Between(from, from.AddDate(years, 0, 0), 2*years)
		if len(due) != years {
			t.Errorf("%s: %d times in %d years", name, len(due), years)
		}
		for _, at := range due {
			if at.In(zone).Format("02.01. 15:04") != "31.12. 09:00" {
				t.Errorf("%s: due at %s", name, at.In(zone))
			}
		}
		if p := parse(t, "0 9 1-7 1,4,7,10 TUE", name).Period(); p.Shortest < 80*24*time.Hour || p.Longest > 100*24*time.Hour {
			t.Errorf("%s: each quarter: %+v", name, p)
		}
	}
}
