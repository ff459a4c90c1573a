package timing

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Calendar describes due times in the terms of a Temporal schedule: a schedule made of it is
// due at exactly the times of Between(From, Until), jitter apart.
//
// All of it is in UTC. Calendars of Temporal know zones too, but leave out what lies in a gap
// and come twice in a repeated hour, and their server may know other zones than we do. In UTC
// each day is as the other. The price is that the calendars end: whoever writes a schedule
// refreshes it in time.
type Calendar struct {
	// From and Until bound the times, both included.
	From, Until time.Time
	// Every is a fixed step since the Unix epoch, 0 for none; then there are no Rules.
	Every time.Duration
	// Rules are the calendars. A time is due if it fits all fields of one of them.
	Rules []Rule
}

// Rule is one calendar, in UTC, at second 0 of its minutes. Each field has a range at least,
// and no ranges of a field overlap.
type Rule struct {
	Years, Months, Days, Weekdays, Hours, Minutes []Range
}

// Range is the values from First to Last, Step apart. Sunday is 0.
type Range struct{ First, Last, Step int }

// Calendar describes the due times from an instant until another, both included. Its size
// grows little with the time between: a daily schedule with changes of the clock has about
// 30 rules, whether it is for five years or for fifteen.
func (t Timing) Calendar(from, until time.Time) Calendar {
	c := Calendar{From: from.UTC(), Until: until.UTC(), Every: t.every}
	if t.every > 0 || until.Before(from) {
		return c
	}
	first := time.Date(c.From.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	last := time.Date(c.Until.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)
	c.Rules = rulesOf(t.patterns(first, last))
	return c
}

// times are minutes that come in several hours alike; a bit each.
type times struct{ hours, minutes uint64 }

// dates are days of a month, on certain weekdays; a bit each.
type dates struct{ days, weekdays uint64 }

// month is a month of a year.
type month struct{ year, month int }

const (
	allDays     = 1<<32 - 2
	allWeekdays = 1<<7 - 1
)

// patterns tells for which days of which months certain times are due.
func (t Timing) patterns(first, last time.Time) map[times]map[month]uint64 {
	found := map[times]map[month]uint64{}
	note := func(date time.Time, day [24]uint64) {
		for _, p := range timesOf(day) {
			if found[p] == nil {
				found[p] = map[month]uint64{}
			}
			found[p][month{date.Year(), int(date.Month())}] |= 1 << date.Day()
		}
	}
	var date time.Time
	var day [24]uint64
	for at := range t.After(first.Add(-time.Second)) {
		if !at.Before(last) {
			break
		}
		if d := at.Truncate(24 * time.Hour); !d.Equal(date) {
			note(date, day)
			date, day = d, [24]uint64{}
		}
		day[at.Hour()] |= 1 << at.Minute()
	}
	note(date, day)
	return found
}

// timesOf joins the hours that have the same minutes.
func timesOf(day [24]uint64) []times {
	var out []times
	for hour, minutes := range day {
		i := slices.IndexFunc(out, func(p times) bool { return p.minutes == minutes })
		switch {
		case minutes == 0:
		case i >= 0:
			out[i].hours |= 1 << hour
		default:
			out = append(out, times{1 << hour, minutes})
		}
	}
	return out
}

// rulesOf joins months of one year that have the same days, and years that have the same
// months.
func rulesOf(found map[times]map[month]uint64) []Rule {
	var rules []Rule
	for at, months := range found {
		byYear := map[dates]map[int]uint64{} // months of each year
		for m, days := range months {
			d := datesOf(m, days)
			if byYear[d] == nil {
				byYear[d] = map[int]uint64{}
			}
			byYear[d][m.year] |= 1 << m.month
		}
		for d, years := range byYear {
			rules = append(rules, joinYears(at, d, years)...)
		}
	}
	slices.SortFunc(rules, func(a, b Rule) int { return slices.Compare(a.numbers(), b.numbers()) })
	return rules
}

// numbers are what rules are ordered by, so that equal timings make equal calendars.
func (r Rule) numbers() []int {
	var out []int
	for _, field := range [][]Range{r.Years, r.Months, r.Days, r.Weekdays, r.Hours, r.Minutes} {
		for _, v := range field {
			out = append(out, v.First, v.Last, v.Step)
		}
	}
	return out
}

// datesOf describes days of a month by weekdays if that is the same: then months of other
// lengths, which begin on other weekdays, share the rule.
func datesOf(m month, days uint64) dates {
	var weekdays, all uint64
	for day := 1; day <= 31; day++ {
		if days>>day&1 == 1 {
			weekdays |= 1 << m.weekday(day)
		}
	}
	for day := 1; day <= m.length(); day++ {
		if weekdays>>m.weekday(day)&1 == 1 {
			all |= 1 << day
		}
	}
	if all == days {
		return dates{allDays, weekdays}
	}
	return dates{days, allWeekdays}
}

func (m month) weekday(day int) time.Weekday {
	return time.Date(m.year, time.Month(m.month), day, 0, 0, 0, 0, time.UTC).Weekday()
}

func (m month) length() int {
	return time.Date(m.year, time.Month(m.month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func joinYears(at times, d dates, monthsOf map[int]uint64) []Rule {
	byMonths := map[uint64][]int{}
	for _, year := range slices.Sorted(maps.Keys(monthsOf)) {
		byMonths[monthsOf[year]] = append(byMonths[monthsOf[year]], year)
	}
	var rules []Rule
	for months, years := range byMonths {
		rules = append(rules, Rule{
			Years: ranges(years), Months: bitRanges(months), Days: bitRanges(d.days),
			Weekdays: bitRanges(d.weekdays), Hours: bitRanges(at.hours), Minutes: bitRanges(at.minutes),
		})
	}
	return rules
}

func bitRanges(set uint64) []Range {
	return ranges(slices.Collect(setBits(set)))
}

// ranges writes ascending values as one range of equal steps, or as runs of neighbours.
func ranges(values []int) []Range {
	if step := equalStep(values); step > 0 {
		return []Range{{values[0], values[len(values)-1], step}}
	}
	var out []Range
	for _, v := range values {
		if last := len(out) - 1; last >= 0 && out[last].Last == v-1 {
			out[last].Last = v
			continue
		}
		out = append(out, Range{v, v, 1})
	}
	return out
}

// equalStep is the distance of all values from each other, 0 where there is none.
func equalStep(values []int) int {
	if len(values) < 2 {
		return min(len(values), 1)
	}
	step := values[1] - values[0]
	for i := 2; i < len(values); i++ {
		if values[i]-values[i-1] != step {
			return 0
		}
	}
	return cmp.Or(step, 1)
}
