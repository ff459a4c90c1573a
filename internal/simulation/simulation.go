// Package simulation plays schedules and the garbage collection through a span of time: which
// backups are made, which are left out, what is kept on each day, and how many snapshots exist
// at most. It is pure, and decides nothing by itself: due times are those of package timing,
// what goes is what package retention says.
//
//   - simulation.go: what goes in and comes out.
//   - run.go: the events, one after the other.
//   - days.go: what is kept on each day.
//
// Things that happen at one instant happen in this order: a day ends, backups end, schedules are
// due, garbage is collected. So a backup whose successor begins as it expires counts beside it,
// as it will be for some minutes. Every backup completes.
package simulation

import (
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// Schedule is what has to be known of a schedule.
type Schedule struct {
	Name   string
	Timing timing.Timing
	// TTL is how long a backup is kept, from its start.
	TTL time.Duration
	// Duration is how long a backup is thought to take.
	Duration time.Duration
	// Buffer lets one run that is due while another goes on wait for it; else it is skipped.
	Buffer bool
	// Snapshots is how many of volumes a backup takes.
	Snapshots int
}

// Plan is what is played.
type Plan struct {
	Schedules []Schedule
	// From and Until bound the due times: from the one on, before the other.
	From, Until time.Time
	Policy      retention.Policy
	// Quota is how many snapshots the account may have, 0 where nobody says.
	Quota int
}

// CollectEvery is how often garbage is collected, on the full hour of UTC.
const CollectEvery = time.Hour

// Result is what would happen.
type Result struct {
	From      time.Time        `json:"from"`
	Until     time.Time        `json:"until"`
	Schedules []ScheduleResult `json:"schedules"`
	// Kept is how many backups there are at the end.
	Kept int `json:"kept"`
	// Most is the largest number of backups at one time.
	Most int `json:"mostKept"`
	// PeakSnapshots is the largest number of snapshots at one time, those of running and of
	// expired backups included, and PeakAt the first time at which it is reached.
	PeakSnapshots int       `json:"peakSnapshots"`
	PeakAt        time.Time `json:"peakAt,omitzero"`
	Quota         int       `json:"quota,omitempty"`
	// Days are the ends of days, in UTC.
	Days []Day `json:"days"`
	// Runs are all due times in order.
	Runs []Run `json:"runs"`
}

// ExceedsQuota tells that there would be more snapshots than the account may have.
func (r *Result) ExceedsQuota() bool { return r.Quota > 0 && r.PeakSnapshots > r.Quota }

// ScheduleResult sums up a schedule.
type ScheduleResult struct {
	Name     string        `json:"name"`
	Due      int           `json:"due"`
	Ran      int           `json:"ran"`
	Skipped  int           `json:"skipped"`
	Deleted  int           `json:"deleted"`
	Kept     int           `json:"kept"`
	MostKept int           `json:"mostKept"`
	Shortest time.Duration `json:"shortestPeriod"`
}

// Day is the state at the end of a day.
type Day struct {
	Date      string         `json:"date"`
	Ran       int            `json:"ran"`
	Skipped   int            `json:"skipped"`
	Deleted   int            `json:"deleted"`
	Kept      map[string]int `json:"kept"` // by schedule
	Snapshots int            `json:"snapshots"`
}

// Run is what becomes of a due time.
type Run struct {
	Schedule string    `json:"schedule"`
	Backup   string    `json:"backup,omitempty"`
	Due      time.Time `json:"due"`
	// Started, Completed and Deleted are zero where that does not happen in the time played.
	Started   time.Time `json:"started,omitzero"`
	Completed time.Time `json:"completed,omitzero"`
	Deleted   time.Time `json:"deleted,omitzero"`
	Skipped   string    `json:"skipped,omitempty"` // why
}

// BackupName is the name of the backup of a due time: a repeated run makes no second one.
func BackupName(schedule string, due time.Time) string {
	return schedule + "-" + due.UTC().Format("20060102150405")
}

// longestSpan and mostRuns bound what is played: a minute's schedule over a year is some
// 500,000 runs.
const (
	longestSpan = 50 * 366 * 24 * time.Hour
	mostRuns    = 1_000_000
)

func (p *Plan) validate() error {
	if p.Until.Before(p.From) {
		return fmt.Errorf("simulate: the end %s is before the beginning %s", p.Until.Format(time.RFC3339), p.From.Format(time.RFC3339))
	}
	if p.Until.Sub(p.From) > longestSpan {
		return errors.New("simulate: more than fifty years are not simulated: take a shorter time")
	}
	seen := map[string]bool{}
	for _, s := range p.Schedules {
		switch {
		case seen[s.Name]:
			return fmt.Errorf("simulate: two schedules are named %q", s.Name)
		case s.TTL <= 0:
			return fmt.Errorf("simulate: schedule %q: the ttl has to be above zero", s.Name)
		case s.Duration < 0 || s.Snapshots < 0:
			return fmt.Errorf("simulate: schedule %q: duration and snapshots cannot be below zero", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}
