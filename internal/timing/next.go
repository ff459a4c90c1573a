package timing

import (
	"iter"
	"slices"
	"time"
)

// longestWait is how many days a cron can be without a due time: 29 February falls on the same
// weekday every 28 years, and every 40 around 2100.
const longestWait = 41 * 366

// Next is the first due time after an instant, in UTC; zero for the zero Timing.
func (t Timing) Next(after time.Time) time.Time {
	for at := range t.After(after) {
		return at
	}
	return time.Time{}
}

// Between gives the due times after from, up to and including to, ascending, at most limit of
// them.
func (t Timing) Between(from, to time.Time, limit int) []time.Time {
	var due []time.Time
	for at := range t.After(from) {
		if at.After(to) || len(due) == limit {
			break
		}
		due = append(due, at)
	}
	return due
}

// After gives the due times after an instant, ascending, in UTC, without end.
func (t Timing) After(from time.Time) iter.Seq[time.Time] {
	switch {
	case t.every > 0:
		return t.stepsAfter(from)
	case t.zone == nil:
		return func(func(time.Time) bool) {}
	}
	return func(yield func(time.Time) bool) {
		date := time.Unix(floorDay(from.Unix()), 0).UTC().AddDate(0, 0, -2) // any zone's day begins later
		for waited := 0; waited <= longestWait; waited++ {
			for _, second := range t.dueOn(date) {
				at := time.Unix(second, 0).UTC()
				if !at.After(from) {
					continue
				}
				if waited = 0; !yield(at) {
					return
				}
			}
			date = date.AddDate(0, 0, 1)
		}
	}
}

func (t Timing) stepsAfter(from time.Time) iter.Seq[time.Time] {
	step := int64(t.every / time.Second)
	return func(yield func(time.Time) bool) {
		for second := from.Unix() - (from.Unix()%step+step)%step + step; yield(time.Unix(second, 0).UTC()); second += step {
		}
	}
}

// Period is how far due times are from each other.
type Period struct {
	Shortest, Typical, Longest time.Duration
}

// sampleStart is where periods are measured: any instant would do, but a pure function needs
// the same one each time.
func sampleStart() time.Time { return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) }

// sampleSize is a year of a daily schedule, and a little more.
const sampleSize = 400

// Period measures the distances over a sample of 400 due times, or those of a century.
// They include changes of the clock: a daily schedule has days of 23 and 25 hours.
func (t Timing) Period() Period {
	if t.every > 0 {
		return Period{t.every, t.every, t.every}
	}
	due := t.Between(sampleStart(), sampleStart().AddDate(100, 0, 0), sampleSize)
	if len(due) < 2 {
		return Period{}
	}
	distances := make([]time.Duration, len(due)-1)
	for i := range distances {
		distances[i] = due[i+1].Sub(due[i])
	}
	slices.Sort(distances)
	return Period{distances[0], distances[len(distances)/2], distances[len(distances)-1]}
}
