package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/simulation"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// TestAsSimulated: what `schedule simulate` says of runs that outlast their period is what becomes of them:
// the same due times are run and skipped, and the backups have the same names.
func TestAsSimulated(t *testing.T) {
	for _, overlap := range []string{contract.OverlapSkip, contract.OverlapBufferOne} {
		for _, took := range []time.Duration{50 * time.Minute, 97 * time.Minute, 151 * time.Minute, 203 * time.Minute} { // at one instant a simulation has an order
			t.Run(fmt.Sprint(overlap, took), func(t *testing.T) {
				w := newWorld(t)
				w.apply(daily("a", cron("0 * * * *"), annotated(contract.AnnotationOverlap, overlap)))
				hourly, err := timing.Parse("0 * * * *", "")
				if err != nil {
					t.Fatal(err)
				}
				res, err := simulation.Simulate(simulation.Plan{From: w.clock.Add(time.Minute), Until: w.clock.Add(24 * time.Hour), Schedules: []simulation.Schedule{
					{Name: "a", Timing: hourly, Buffer: overlap == contract.OverlapBufferOne, TTL: 720 * time.Hour, Duration: took},
				}})
				if err != nil {
					t.Fatal(err)
				}
				w.playHourly(w.clock.Add(24*time.Hour), took, overlap == contract.OverlapBufferOne)
				w.account(w.clock.Add(48 * time.Hour).Format(time.RFC3339))
				outcomes := map[time.Time]contract.ScheduleSlot{}
				for _, s := range w.all() {
					outcomes[s.Due] = s
				}
				for _, r := range res.Runs {
					got := outcomes[r.Due]
					if r.Completed.IsZero() && r.Skipped == "" {
						continue // goes on, or waits, at the end
					}
					if skipped := got.Outcome == contract.SlotSkipped; skipped != (r.Skipped != "") || !skipped && (got.Backup != r.Backup || !got.Started.Equal(r.Started)) {
						t.Errorf("due %s: %s %s at %s, simulated %+v", r.Due, got.Outcome, got.Backup, got.Started, r)
					}
				}
			})
		}
	}
}

// playHourly starts the runs of an hourly schedule as Temporal does, each of which takes so long.
func (w *world) playHourly(until time.Time, took time.Duration, buffers bool) {
	var waiting []time.Time
	var running *contract.BegunSlot
	for at := w.clock.Add(time.Minute); at.Before(until); at = at.Add(time.Minute) {
		if running != nil && at.Sub(running.Slot.Started) >= took {
			w.end("a", *running, "Completed", at.Format(time.RFC3339))
			running = nil
		}
		if at.Truncate(time.Hour).Equal(at) && (running == nil || buffers && len(waiting) == 0) {
			waiting = append(waiting, at)
		}
		if running == nil && len(waiting) > 0 {
			begun := w.begin("a", waiting[0].Format(time.RFC3339), at.Format(time.RFC3339))
			running, waiting = &begun, waiting[1:]
		}
	}
}
