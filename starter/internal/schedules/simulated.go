package schedules

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/simulation"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// estimate is what no schedule says, and is taken to be alike for all.
type estimate struct {
	Duration  time.Duration // of a backup
	Snapshots int           // of a backup
	TTL       time.Duration // where a schedule names none
}

// simulated decodes schedules. Those that are paused are left out and named.
func simulated(all []contract.Schedule, e estimate) (plan []simulation.Schedule, paused []string, err error) {
	for _, s := range all {
		if s.Spec.Paused {
			paused = append(paused, s.Name)
			continue
		}
		if s.Name == "" {
			return nil, nil, fmt.Errorf("metadata.name: a schedule has no name")
		}
		t, err := timing.Parse(s.Spec.Schedule, s.Annotations[contract.AnnotationZone])
		if err != nil {
			return nil, nil, fmt.Errorf("schedule %q: spec.schedule: %w", s.Name, err)
		}
		if o := s.Overlap(); o != contract.OverlapSkip && o != contract.OverlapBufferOne {
			return nil, nil, fmt.Errorf("schedule %q: metadata.annotations[%s]: %q is neither %s nor %s", s.Name, contract.AnnotationOverlap, o, contract.OverlapSkip, contract.OverlapBufferOne)
		}
		snapshots := e.Snapshots
		if v := s.Spec.Template.SnapshotVolumes; v != nil && !*v {
			snapshots = 0
		}
		plan = append(plan, simulation.Schedule{
			Name: s.Name, Timing: t, TTL: cmp.Or(s.Spec.Template.TTL.Duration, e.TTL), Duration: e.Duration,
			Buffer: s.Overlap() == contract.OverlapBufferOne, Snapshots: snapshots,
		})
	}
	return plan, paused, nil
}

// scheduleTable sums up the schedules.
func scheduleTable(plan []simulation.Schedule, res *simulation.Result) (header []string, rows [][]string) {
	for i, s := range res.Schedules {
		rows = append(rows, []string{
			s.Name, plan[i].Timing.String(), show.Or(plan[i].Timing.Zone(), "UTC"), plan[i].TTL.String(),
			strconv.Itoa(s.Due), strconv.Itoa(s.Ran), strconv.Itoa(s.Skipped), strconv.Itoa(s.Deleted), strconv.Itoa(s.Kept), strconv.Itoa(s.MostKept),
		})
	}
	return []string{"NAME", "SCHEDULE", "TIME ZONE", "TTL", "DUE", "RAN", "SKIPPED", "DELETED", "KEPT", "MOST KEPT"}, rows
}

// dayTable tells what is kept at the end of each day, a row for days that are alike.
func dayTable(res *simulation.Result) (header []string, rows [][]string) {
	header = []string{"FROM", "TO"}
	for _, s := range res.Schedules {
		header = append(header, strings.ToUpper(s.Name))
	}
	header = append(header, "KEPT", "SNAPSHOTS")
	for _, d := range res.Days {
		cells := dayCells(res, d)
		if n := len(rows); n > 0 && slices.Equal(rows[n-1][2:], cells) {
			rows[n-1][1] = d.Date
			continue
		}
		rows = append(rows, append([]string{d.Date, d.Date}, cells...))
	}
	return header, rows
}

func dayCells(res *simulation.Result, d simulation.Day) (cells []string) {
	sum := 0
	for _, s := range res.Schedules {
		cells = append(cells, strconv.Itoa(d.Kept[s.Name]))
		sum += d.Kept[s.Name]
	}
	return append(cells, strconv.Itoa(sum), strconv.Itoa(d.Snapshots))
}
