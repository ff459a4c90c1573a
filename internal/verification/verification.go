// Package verification decides which stored backups are read back next. It is pure: what it
// knows of backups it is told, and what it decides others carry out.
//
// Two promises are kept for every backup, as long as the bandwidth allows it:
//
//   - it is read back within Policy.Every after it was made, and after each time;
//   - it is read back at least once before it expires.
//
// The earlier of the two is its deadline. Backups are read one after the other in the order
// of their deadlines, which is the order that meets all of them if any order does; with one
// rotation for all, and no early expiration, it is that of the oldest first. A backup is not
// read before half of its time has passed, unless others would come too late by waiting.
package verification

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Every is how long a backup may go unread by default.
const Every = 20 * 24 * time.Hour

// Forever is a Policy.Round after which no plan comes: all backups are due.
const Forever = 100 * 365 * 24 * time.Hour

// Backup is what has to be known of a backup. Times are zero where they are not known.
type Backup struct {
	Name     string
	Location string
	UID      string
	Bytes    int64     // that a verification reads
	Made     time.Time // when it was completed: all of it was read back then
	Verified time.Time // last, zero for never
	Expires  time.Time // zero for never
}

// Policy is what the configuration says about verification.
type Policy struct {
	Every     time.Duration
	Bandwidth int64         // bytes a second; 0 is no bound
	Round     time.Duration // from one plan to the next
}

// Deadline is when the backup has to have been read back next.
func (b *Backup) Deadline(every time.Duration) time.Time {
	deadline := b.readLast().Add(every)
	if b.Verified.IsZero() && b.Expires.After(b.Made) && b.Expires.Before(deadline) {
		return b.Expires
	}
	return deadline
}

// readLast is when all of the backup was read last.
func (b *Backup) readLast() time.Time {
	if b.Verified.After(b.Made) {
		return b.Verified
	}
	return b.Made
}

// isDue tells that half of the backup's time has passed.
func (b *Backup) isDue(deadline, now time.Time) bool {
	last := b.readLast()
	return !now.Before(last.Add(deadline.Sub(last) / 2))
}

// Late is a backup that is read too late, or not before it expires.
type Late struct {
	Backup
	Deadline time.Time
	Ends     time.Time // when its reading ends, by the plan
}

// Plan is what is to be read, the first one first, and what cannot be read in time.
type Plan struct {
	Due  []Backup
	Late []Late
	// Needs is the bandwidth that would be enough for all whose deadline is not over, in bytes
	// a second; 0 where the policy's is enough.
	Needs int64
}

// Decide plans. It has to be given all backups that are read by one budget.
func Decide(all []Backup, p Policy, now time.Time) Plan {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b Backup) int {
		return cmp.Or(a.Deadline(p.Every).Compare(b.Deadline(p.Every)), a.readLast().Compare(b.readLast()), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Location, b.Location))
	})
	var plan Plan
	due, ends, bytes, needs := 0, now, int64(0), 0.0
	for i := range sorted {
		b := &sorted[i]
		deadline := b.Deadline(p.Every)
		ends, bytes = ends.Add(p.Duration(b.Bytes)), bytes+b.Bytes
		if left := deadline.Sub(now).Seconds(); left > 0 {
			needs = max(needs, float64(bytes)/left)
		}
		if ends.After(deadline) {
			plan.Late = append(plan.Late, Late{*b, deadline, ends})
		}
		// One that had to wait for the next plan would end later by as much.
		if b.isDue(deadline, now) || ends.Add(p.Round).After(deadline) {
			due = i + 1
		}
	}
	plan.Due = sorted[:due]
	if len(plan.Late) > 0 && needs > float64(p.Bandwidth) {
		plan.Needs = int64(math.Ceil(needs))
	}
	return plan
}

// Duration is how long it takes to read so many bytes.
func (p *Policy) Duration(bytes int64) time.Duration {
	if p.Bandwidth <= 0 {
		return 0
	}
	return time.Duration(float64(bytes) / float64(p.Bandwidth) * float64(time.Second))
}
