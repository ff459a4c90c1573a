package timing

import (
	"iter"
	"math"
	"math/bits"
	"slices"
	"time"
)

const (
	daySeconds    = 24 * 60 * 60
	allHours      = 1<<24 - 1
	allMinutes    = 1<<60 - 1
	anyValue      = 1 << 63 // how the library notes a field that is not restricted
	widestOffset  = 26 * time.Hour
	minuteSeconds = 60
)

// followsClock tells that the timing is due in every hour: then it goes by the clock on the
// wall, and not by times of the day that come once each.
func (t Timing) followsClock() bool { return t.fields.Hour&allHours == allHours }

// isDueDate tells whether the timing is due on a date, which is given as midnight UTC.
func (t Timing) isDueDate(date time.Time) bool {
	f := &t.fields
	if f.Month>>uint(date.Month())&1 == 0 {
		return false
	}
	return f.Dom>>uint(date.Day())&1 == 1 && f.Dow>>uint(date.Weekday())&1 == 1
}

// isDueTime tells whether the timing is due at a minute of the day.
func (t Timing) isDueTime(minute int64) bool {
	return t.fields.Hour>>uint(minute/60)&1 == 1 && t.fields.Minute>>uint(minute%60)&1 == 1
}

// dueOn gives the due times of a day, ascending, in seconds since the epoch. The day is the
// zone's, or that of UTC for a timing that follows the clock, whose local days may overlap.
func (t Timing) dueOn(date time.Time) []int64 {
	if t.followsClock() {
		return t.dueByClock(date)
	}
	if !t.isDueDate(date) {
		return nil
	}
	clock := clockAround(t.zone, date)
	var due []int64
	for hour := range setBits(t.fields.Hour & allHours) {
		for minute := range setBits(t.fields.Minute & allMinutes) {
			if at, exists := clock.first(date.Unix(), int64(hour*60+minute)*minuteSeconds); exists {
				due = append(due, at)
			}
		}
	}
	return slices.Compact(due)
}

// setBits gives the numbers of a set, ascending.
func setBits(set uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; set != 0 && yield(bits.TrailingZeros64(set)); set &= set - 1 {
		}
	}
}

// dueByClock looks at each minute of a day of UTC what the clock on the wall shows.
func (t Timing) dueByClock(date time.Time) []int64 {
	var due []int64
	local, isDue := int64(math.MinInt64), false
	for _, s := range clockAround(t.zone, date) {
		begin, end := max(s.start, date.Unix()), min(s.end, date.Unix()+daySeconds)
		for wall := roundUp(begin + s.offset); wall < end+s.offset; wall += minuteSeconds {
			if day := floorDay(wall); day != local {
				local, isDue = day, t.isDueDate(time.Unix(day, 0).UTC())
			}
			if isDue && t.isDueTime((wall-local)/minuteSeconds) {
				due = append(due, wall-s.offset)
			}
		}
	}
	return due
}

// stretch is a time in which a zone keeps its distance from UTC, in seconds.
type stretch struct{ start, end, offset int64 }

// clock is what a zone's clocks do around a day: stretches, one after the other.
type clock []stretch

// clockAround gives all stretches that a date can reach into, whatever its zone, and those
// beside them.
func clockAround(zone *time.Location, date time.Time) clock {
	var c clock
	for at := date.Add(-widestOffset); ; {
		at = at.In(zone)
		_, offset := at.Zone()
		s := stretch{start: math.MinInt64, end: math.MaxInt64, offset: int64(offset)}
		start, end := zoneBounds(at)
		if !start.IsZero() {
			s.start = start.Unix()
		}
		if !end.IsZero() {
			s.end = end.Unix()
		}
		c = append(c, s)
		if end.IsZero() || end.Sub(date) > 24*time.Hour+widestOffset {
			return c
		}
		at = end
	}
}

// zoneBounds is ZoneBounds of a time. On the last day of a leap year that lies beyond a zone's table,
// from 2040 on, Go 1.26 gives an end that has passed: the stretch goes on at least for that day.
func zoneBounds(at time.Time) (start, end time.Time) {
	start, end = at.ZoneBounds()
	if !end.IsZero() && !end.After(at) {
		end = at.Truncate(24 * time.Hour).Add(24 * time.Hour)
	}
	return start, end
}

// first is the instant at which the clock shows a time of a day, the first if there are two,
// or else where the time moves to. A day that the zone leaves out has none.
func (c clock) first(day, second int64) (int64, bool) {
	wall := day + second
	for _, s := range c {
		if at := wall - s.offset; s.start <= at && at < s.end {
			return at, true
		}
	}
	for i := 1; i < len(c); i++ {
		if change := c[i].start; wall-c[i-1].offset >= change && wall-c[i].offset < change {
			return c.besideGap(i, day)
		}
	}
	return 0, false
}

// besideGap is the end of the gap before stretch i, or the last minute before the gap where
// its end belongs to another day.
func (c clock) besideGap(i int, day int64) (int64, bool) {
	change := c[i].start
	if floorDay(change+c[i].offset) == day {
		return change, true
	}
	before := roundUp(change+c[i-1].offset) - minuteSeconds
	return before - c[i-1].offset, floorDay(before) == day
}

// floorDay is the midnight before, of seconds on a wall clock.
func floorDay(wall int64) int64 { return wall - (wall%daySeconds+daySeconds)%daySeconds }

// roundUp is the next full minute, of seconds on a wall clock.
func roundUp(wall int64) int64 {
	return wall + (minuteSeconds-(wall%minuteSeconds+minuteSeconds)%minuteSeconds)%minuteSeconds
}
