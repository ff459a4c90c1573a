//go:build stack

package drill

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
)

// chainNow is the evidence of the cluster's drills, the oldest first.
func chainNow(t *testing.T) []evidence.Evidence {
	t.Helper()
	all, err := drills.List(t.Context(), shared.Store, shared.Cluster, 1000, func(f *drills.File) evidence.Evidence { return f.Evidence })
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	return all
}

// ofSchedule are the places in the chain of the drills of a schedule.
func ofSchedule(t *testing.T, name string) (all []evidence.Chain) {
	t.Helper()
	for _, e := range chainNow(t) {
		if c := e.Statement.Predicate.Chain; c.Schedule == name {
			all = append(all, c)
		}
	}
	return all
}

// drillSlots are the due times of a schedule that are told, newest first.
func drillSlots(t *testing.T, name string) []contract.ScheduleSlot {
	t.Helper()
	var s contract.ScheduleStatus
	if err := json.Unmarshal([]byte(cli(t, 0, "drill", "schedule", "describe", name, "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s.Slots
}

// until waits for something to be so.
func until(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(500 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s\nworker:\n%s", what, limit, tail(shared.Worker.Log()))
		}
	}
}

// TestSchedule: a schedule runs drills by itself, whose evidence says for which due time; Temporal
// gets back what it has lost, without a run; a drill that is due waits for the one that goes on.
func TestSchedule(t *testing.T) {
	ns, name := setUpStuck(t, "scheduled")
	args := []string{"--from-backup", name, "-n", ns, "--level", "L2", "--ready-timeout", "1s"}
	out := cli(t, 0, append([]string{"drill", "schedule", "--quarterly"}, args...)...)
	if !strings.Contains(out, `schedule "`+ns+`" created; next run `) {
		t.Errorf("says %s", out)
	}
	document := cli(t, 0, "drill", "schedule", "get", ns, "-o", "yaml")
	file := filepath.Join(t.TempDir(), "drill.yaml")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := cli(t, 0, "drill", "schedule", "apply", "-f", file); !strings.Contains(out, "unchanged") {
		t.Errorf("what get prints is another schedule: %s\n%s", out, document)
	}
	if got := cli(t, 0, "schedule", "get", "-o", "name"); strings.Contains(got, ns) {
		t.Errorf("it is among the schedules of backups: %s", got)
	}
	checkKept(t, ns)
	cli(t, 0, append([]string{"drill", "schedule", "create", "often", "--schedule", "@every 25s", "--catch-up-window", "1m"}, args...)...)
	until(t, 3*time.Minute, "two drills by themselves", func() bool { return len(ofSchedule(t, "often")) >= 2 })
	checkWaits(t, name)
	cli(t, 0, "drill", "schedule", "pause", "often")
	checkSlots(t)
	if len(ofSchedule(t, ns)) > 0 {
		t.Error("the quarterly one has run")
	}
	cli(t, 0, "drill", "schedule", "delete", "--all", "--confirm")
	if got := cli(t, 0, "drill", "schedule", "get", "-o", "name"); got != "" {
		t.Errorf("left: %s", got)
	}
	until(t, time.Minute, "copies are gone", func() bool { return len(copies(t)) == 0 })
}

// checkKept deletes a schedule in Temporal, and wants it back without a run.
func checkKept(t *testing.T, name string) {
	t.Helper()
	handle := shared.Temporal.ScheduleClient().GetHandle(t.Context(), contract.DrillScheduleID(shared.Cluster, name))
	if err := handle.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, "the schedule is back", func() bool {
		d, err := handle.Describe(t.Context())
		return err == nil && d.Info.NumActions == 0
	})
}

// checkWaits starts a drill by hand, and wants the next one of the schedule after it.
func checkWaits(t *testing.T, backup string) {
	t.Helper()
	until(t, time.Minute, "a drill by hand begins", func() bool {
		res, err := shared.CLI(t.Context(), "drill", "run", "by-hand", "--from-backup", backup, "--ready-timeout", "30s")
		return err == nil && res.Code == 0
	})
	drilled := len(ofSchedule(t, "often"))
	until(t, time.Minute, "one waits", func() bool {
		return slices.ContainsFunc(drillSlots(t, "often"), func(s contract.ScheduleSlot) bool { return s.Outcome == contract.SlotRunning })
	})
	until(t, 3*time.Minute, "the one that waits runs", func() bool { return len(ofSchedule(t, "often")) > drilled })
}

// checkSlots holds the chain of evidence against the record of the due times: each has its drill, or
// is told by the next one.
func checkSlots(t *testing.T) {
	t.Helper()
	told := map[time.Time]string{}
	for _, c := range ofSchedule(t, "often") {
		if c.NextSlot <= c.Slot {
			t.Errorf("after %s comes %q", c.Slot, c.NextSlot)
		}
		told[c.Slot.Time().UTC()] = contract.SlotRan
		for _, m := range c.Missed {
			told[m.Slot.Time().UTC()], _, _ = strings.Cut(m.Reason, ":")
		}
	}
	last := ofSchedule(t, "often")
	until(t, time.Minute, "the last one is recorded", func() bool { return drillSlots(t, "often")[0].Outcome != contract.SlotRunning })
	for _, s := range drillSlots(t, "often") {
		if s.Due.After(last[len(last)-1].Slot.Time()) {
			continue
		}
		if told[s.Due.UTC()] != s.Outcome {
			t.Errorf("%s: the record says %s (%s), the evidence %q", s.Due, s.Outcome, s.Reason, told[s.Due.UTC()])
		}
	}
	for _, g := range evidence.CheckChain(chainNow(t), time.Now()) {
		if g.Kind == evidence.GapSlot || g.Kind == evidence.GapFile {
			t.Errorf("gap: %+v", g)
		}
	}
}
