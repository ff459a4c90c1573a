// Package timing says when a schedule is due. It is pure: cron strings and a zone go in,
// instants come out, and a description of them from which somebody else writes a Temporal
// schedule.
//
// Cron strings are those of Velero 1.18, read by the library that it reads them with
// (netresearch/go-cron, a fork of robfig/cron): five fields, macros such as @daily, @every, and
// the prefix CRON_TZ= or TZ=. What the fields mean is Velero's too: where both days of the month
// and of the week are restricted, both have to fit. Until 1.17 one was enough, so that there is
// a warning. What becomes of due times where clocks change is not Velero's:
//
//   - Where the hours are restricted, each time of a day comes once in that day. One that a
//     change of the clock leaves out moves to the end of the gap, or, where another day
//     begins there, to the last minute before it. Of an hour that comes twice the first counts.
//   - A schedule that is due in every hour follows the clock on the wall: it is due in both
//     copies of an hour that comes twice, and times of a gap do not exist; the next hour is
//     due anyway.
//
// So a daily backup is made exactly once a local day, and an hourly one each hour that
// passes. With Velero the first is made twice in a repeated hour, and until 1.17 not at all in a
// gap. Steps such as */12 are restricted hours: they are the same as 0,12, and a schedule of
// */24 is a daily one.
//
// @every counts fixed steps from the Unix epoch, in UTC, as Temporal does: Velero counts them
// from the last backup. A step of 24 hours in a zone would move by an hour with each change of
// the clock, so that it is refused together with one.
//
//   - timing.go: what a timing is, and how it is read.
//   - explain.go: what is wrong with a cron string.
//   - due.go: which times of a day are due.
//   - next.go: due times one after the other.
//   - calendar.go: due times as calendars of Temporal.
package timing

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // images without zones must know them too

	cron "github.com/netresearch/go-cron"
)

// Timing is when a schedule is due. The zero Timing is never due.
type Timing struct {
	expression string         // without the zone
	zone       *time.Location // nil for the zero Timing and for every
	every      time.Duration  // whole seconds; 0 for a cron
	fields     cron.SpecSchedule
}

// Parse reads a cron string. zone is the schedule's own time zone, "" for none: then that of
// the prefix counts, or UTC. Errors name what is wrong and what to write; a cron that never
// comes due, such as one for 30 February, is refused.
func Parse(expression, zone string) (Timing, error) {
	fields, prefix, err := splitZone(strings.TrimSpace(expression))
	if err != nil {
		return Timing{}, err
	}
	if prefix != "" && zone != "" && prefix != zone {
		return Timing{}, fmt.Errorf("cron %q names the time zone %s, the schedule names %s: leave one out", expression, prefix, zone)
	}
	zone = cmp.Or(zone, prefix)
	parsed, err := cron.ParseStandard(fields)
	if err != nil {
		return Timing{}, fmt.Errorf("cron %q: %w", expression, explainCron(fields, err))
	}
	if step, ok := parsed.(cron.ConstantDelaySchedule); ok {
		return fixedSteps(fields, step.Delay, zone)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return Timing{}, fmt.Errorf("cron %q never comes due: for backups on demand write a cron string and pause the schedule", expression)
	}
	t := Timing{expression: fields, fields: *spec}
	if t.zone, err = loadZone(cmp.Or(zone, "UTC")); err != nil {
		return Timing{}, err
	}
	if t.Next(sampleStart()).IsZero() {
		return Timing{}, fmt.Errorf("cron %q never comes due: no date or time fits all its fields", expression)
	}
	return t, nil
}

// fixedSteps is @every. A zone has no meaning for it.
func fixedSteps(fields string, step time.Duration, zone string) (Timing, error) {
	if zone != "" {
		return Timing{}, fmt.Errorf("cron %q counts fixed steps in UTC, the time zone %s would mean nothing: leave it out, or write the hours, as in \"0 */6 * * *\"", fields, zone)
	}
	return Timing{expression: fields, every: step}, nil
}

// splitZone parts the prefix from the fields. The library does so too, but keeps the zone to
// itself where @every follows.
func splitZone(expression string) (fields, zone string, err error) {
	if !strings.HasPrefix(expression, "CRON_TZ=") && !strings.HasPrefix(expression, "TZ=") {
		return expression, "", nil
	}
	prefix, fields, _ := strings.Cut(expression, " ")
	_, zone, _ = strings.Cut(prefix, "=")
	for _, quote := range []string{`"`, "'"} {
		if inner, ok := strings.CutPrefix(zone, quote); ok {
			zone = strings.TrimSuffix(inner, quote)
		}
	}
	if zone == "" {
		return "", "", fmt.Errorf("cron %q: the prefix names no time zone", expression)
	}
	return strings.TrimSpace(fields), zone, nil
}

// loadZone knows the zones of the IANA data base. "Local" is none of them: it would be the
// zone of whichever machine reads the schedule.
func loadZone(name string) (*time.Location, error) {
	if name != "Local" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	return nil, fmt.Errorf("time zone %q is not known: use a name of the IANA data base, such as Europe/Berlin", name)
}

// String is the cron string without the prefix of a zone.
func (t Timing) String() string { return t.expression }

// Zone is the name of the time zone; "" for fixed steps.
func (t Timing) Zone() string {
	if t.zone == nil {
		return ""
	}
	return t.zone.String()
}

// Every is the fixed step of @every, 0 for a cron.
func (t Timing) Every() time.Duration { return t.every }

// Warnings says what somebody who comes from an older Velero has to know.
func (t Timing) Warnings() []string {
	f := &t.fields
	if t.zone == nil || f.Dom&anyValue != 0 || f.Dow&anyValue != 0 {
		return nil
	}
	return []string{fmt.Sprintf("cron %q restricts days of the month and days of the week: it is due where both fit, as with Velero 1.18; until 1.17 one was enough", t.expression)}
}
