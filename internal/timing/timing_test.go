package timing_test

import (
	"strings"
	"testing"
	"time"

	cron "github.com/netresearch/go-cron"

	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

func parse(t *testing.T, expression, zone string) timing.Timing {
	t.Helper()
	parsed, err := timing.Parse(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// show writes instants as the clocks of a zone show them.
func show(instants []time.Time, zone string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, i := range instants {
		out = append(out, i.In(loc).Format("02T15:04Z07"))
	}
	return strings.Join(out, " ")
}

func TestNext(t *testing.T) {
	for _, c := range []struct{ expression, zone, after, want string }{
		{"0 2 * * *", "", "2026-03-01T02:00:00Z", "02T02:00Z 03T02:00Z"},
		{"0 2 * * *", "", "2026-03-01T01:59:59.5Z", "01T02:00Z 02T02:00Z"},
		{" @daily ", "", "2026-03-01T02:00:00Z", "02T00:00Z 03T00:00Z"},
		{"0 3 * * 0", "", "2026-03-01T02:00:00Z", "01T03:00Z 08T03:00Z"},
		{"0 0 1-7 * FRI", "", "2026-03-01T00:00:00Z", "06T00:00Z 03T00:00Z 01T00:00Z"}, // both, as Velero
		{"0 0 * * 7", "", "2026-03-01T00:00:00Z", "08T00:00Z 15T00:00Z"},
		{"0 22-2/2 * * *", "", "2026-03-01T00:00:00Z", "01T02:00Z 01T22:00Z 02T00:00Z"},
		{"0 0 29 2 *", "", "2096-03-01T00:00:00Z", "29T00:00Z"},
		{"0 0 29 2 MON", "", "2096-03-01T00:00:00Z", "29T00:00Z"},
		{`CRON_TZ="Asia/Tokyo" 0 2 * * *`, "", "2026-03-01T00:00:00Z", "02T02:00+09"},
		{"@every 90m", "", "2026-03-01T00:00:00Z", "01T01:30Z 01T03:00Z"},
		{"@every 24h", "", "2026-03-01T01:00:00Z", "02T00:00Z 03T00:00Z"},
		{"CRON_TZ=Asia/Tokyo 0 2 * * *", "", "2026-03-01T00:00:00Z", "02T02:00+09 03T02:00+09"},
		{"TZ=Asia/Tokyo 0 2 * * *", "Asia/Tokyo", "2026-03-01T00:00:00Z", "02T02:00+09"},
		{"0 2 * * *", "Asia/Tokyo", "2026-03-01T00:00:00Z", "02T02:00+09"},

		// Clocks go from 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on 25 October.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "28T02:30+01 29T03:00+02 30T02:30+02"},
		{"0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "29T03:00+02 30T02:00+02"},
		{"30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "29T03:00+02 29T03:30+02 30T02:30+02"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "25T02:30+02 26T02:30+01"},
		{"0 */2 * * *", "Europe/Berlin", "2026-10-24T22:00:00Z", "25T02:00+02 25T04:00+01"},
		{"0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "29T03:00+02 29T04:00+02"},
		{"5 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "29T01:05+01 29T03:05+02"},
		{"@hourly", "Europe/Berlin", "2026-10-24T23:00:00Z", "25T02:00+02 25T02:00+01 25T03:00+01"},
		{"*/30 0-23 25 10 *", "Europe/Berlin", "2026-10-24T23:30:00Z", "25T02:00+02 25T02:30+02 25T02:00+01 25T02:30+01"},
		// The day begins at 01:00.
		{"0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", "24T01:00+03 25T00:00+03"},
		{"@every 1h", "", "2026-04-23T12:00:00Z", "23T13:00Z"},
		// The day ends at 23:00: its run is not one of the next day.
		{"30 23 * * *", "America/Nuuk", "2026-03-28T00:00:00Z", "27T23:30-02 28T22:59-02 29T23:30-01"},
		{"30 23 * * SAT", "America/Nuuk", "2026-03-28T12:00:00Z", "28T22:59-02"},
		// Half an hour.
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "04T02:30+11 05T02:15+11"},
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "05T01:45+11 06T01:45+10"},
		// A day that a zone left out has no run.
		{"0 2 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "31T02:00+14"},
	} {
		t.Run(c.expression+" "+c.zone+" "+c.after, func(t *testing.T) {
			parsed := parse(t, c.expression, c.zone)
			zone := parsed.Zone()
			if zone == "" {
				zone = "UTC"
			}
			due := parsed.Between(at(t, c.after), at(t, c.after).AddDate(50, 0, 0), len(strings.Fields(c.want)))
			if got := show(due, zone); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if next := parsed.Next(at(t, c.after)); !next.Equal(due[0]) {
				t.Errorf("Next is %s, Between begins with %s", next, due[0])
			}
		})
	}
}

// TestParseExplains: a refusal says what to write, and nothing of the options of a library.
func TestParseExplains(t *testing.T) {
	const syntax = "L, W, # and H are of other programs"
	for expression, want := range map[string]string{
		"0 2 L * *": syntax, "0 2 15W * *": syntax, "0 2 LW * *": syntax, "0 2 * * 5#3": syntax, "0 2 * * FRI#L": syntax, "H 2 * * *": syntax, "0 2 * * 5L": syntax,
		"x 2 * * *": `"x" is neither a number nor the name of a month or weekday`, "0 2 * * MOM": `"MOM" is neither`, "-1 * * * *": "a number is missing before or after a hyphen, slash or comma",
		"99999999999999999999 * * * *": "is neither", "@nightly": "there are @yearly", "@every": "there are @yearly", "@every 1d": "write 24h for a day",
		"": "is empty", "CRON_TZ=UTC": "is empty",
	} {
		_, err := timing.Parse(expression, "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", expression, err, want)
			continue
		}
		for _, word := range []string{"option", "strconv", "failed to parse", "time: "} {
			if strings.Contains(err.Error(), word) {
				t.Errorf("%q: %v", expression, err)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ expression, zone, want string }{
		{"", "", "empty"},
		{"0 2 * *", "", "expected exactly 5 fields"},
		{"0 0 2 * * *", "", "expected exactly 5 fields"},
		{"60 2 * * *", "", "above maximum"},
		{"0 2 30 2 *", "", "never comes due"},
		{", 2 * * *", "", "never comes due"},
		{"@nightly", "", "unrecognized descriptor"},
		{"CRON_TZ=UTC", "", "empty"},
		{"@manual", "", "pause the schedule"},
		{"H 2 * * *", "", "hash"},
		{"0 2 L * *", "", "extended"},
		{"TZ= 0 2 * * *", "", "names no time zone"},
		{"CRON_TZ=Europe/Berlin 0 2 * * *", "Europe/Paris", "leave one out"},
		{"CRON_TZ=Mars/Base 0 2 * * *", "", `"Mars/Base" is not known`},
		{"0 2 * * *", "../../etc/passwd", "is not known"},
		{"0 2 * * *", "Local", "is not known"},
		{"@every 24h", "Europe/Berlin", "would mean nothing"},
		{"CRON_TZ=Europe/Berlin @every 24h", "", "would mean nothing"},
		{"@every 1d", "", "unknown unit"},
		{"@every -1h", "", "at least 1s"},
		{"@every 10ms", "", "at least 1s"},
	} {
		if parsed, err := timing.Parse(c.expression, c.zone); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in %q: got %v and %v, want an error with %q", c.expression, c.zone, parsed, err, c.want)
		}
	}
}

func TestPeriod(t *testing.T) {
	const day = 24 * time.Hour
	for expression, want := range map[string]timing.Period{
		"0 2 * * *":                     {day, day, day},
		"CRON_TZ=Europe/Berlin @daily":  {23 * time.Hour, day, 25 * time.Hour},
		"@hourly":                       {time.Hour, time.Hour, time.Hour},
		"@every 45m":                    {45 * time.Minute, 45 * time.Minute, 45 * time.Minute},
		"0 8,20 * * *":                  {12 * time.Hour, 12 * time.Hour, 12 * time.Hour},
		"0 2 * * 1-5":                   {day, day, 3 * day},
		"@monthly":                      {28 * day, 31 * day, 31 * day},
		"@yearly":                       {365 * day, 365 * day, 366 * day},
		"0 0 29 2 *":                    {1461 * day, 1461 * day, 2921 * day},
		"CRON_TZ=Europe/Berlin @hourly": {time.Hour, time.Hour, time.Hour},
	} {
		if got := parse(t, expression, "").Period(); got != want {
			t.Errorf("%s: got %v, want %v", expression, got, want)
		}
	}
}

// TestAsVelero: where no clock changes, due times are those of the library that Velero asks.
func TestAsVelero(t *testing.T) {
	for _, expression := range []string{
		"0 2 * * *", "*/7 3-5 * * *", "15,45 */6 1,15 * *", "0 0 13 * FRI", "0 0 */2 * 1", "5 4 * 2-11/3 SUN", "@hourly", "@weekly", "@monthly", "@yearly", "0 0 29 2 *", "? ? * * MON-FRI",
	} {
		velero, err := cron.ParseStandard(expression)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := at(t, "2026-01-01T00:00:00Z"), at(t, "2026-01-01T00:00:00Z")
		parsed := parse(t, expression, "")
		for range 500 {
			if ours, theirs = parsed.Next(ours), velero.Next(theirs); theirs.IsZero() { // it looks five years ahead
				break
			}
			if !ours.Equal(theirs) {
				t.Errorf("%s: %s, Velero has %s", expression, ours, theirs)
				break
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0 2 * * *", "@every 1h", "CRON_TZ=Europe/Berlin 30 2 * * *", "TZ=", "*/7,1-5/2 ? 1 NOV-MAR 7", "0 0 29 2 *", "@every 9999h"} {
		f.Add(s, "")
		f.Add(s, "America/Nuuk")
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, expression, zone string) {
		parsed, err := timing.Parse(expression, zone)
		if err != nil {
			return
		}
		due := parsed.Between(from, from.AddDate(10, 0, 0), 50)
		for i, d := range due {
			before := from
			if i > 0 {
				before = due[i-1]
			}
			if !d.After(before) || !parsed.Next(before).Equal(d) {
				t.Fatalf("%q in %q: %s comes after %s", expression, zone, d, before)
			}
		}
		again, err := timing.Parse(parsed.String(), parsed.Zone())
		if err != nil || !again.Next(from).Equal(parsed.Next(from)) {
			t.Fatalf("%q in %q: read again: %v", expression, zone, err)
		}
	})
}

func TestWarnings(t *testing.T) {
	for expression, want := range map[string]int{"0 0 13 * FRI": 1, "0 0 */2 * 1": 1, "0 0 13 * *": 0, "@weekly": 0, "@every 1h": 0} {
		if got := parse(t, expression, "").Warnings(); len(got) != want {
			t.Errorf("%s: %q", expression, got)
		}
	}
}
