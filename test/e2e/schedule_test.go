//go:build stack

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestSchedules: definitions are applied without a run, and again without a change; a schedule
// fires by itself; Temporal gets back what it has lost.
func TestSchedules(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "nightly").Replace("<nightly>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}, data: {k: v}}", ns, ns))
	own := l.Beside(t, harness.Options{Cluster: "sched", Edit: withWest})
	h := own.Harness
	file := filepath.Join(t.TempDir(), "shop.yaml")
	write := func(schedules ...string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(strings.Join(schedules, "---\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	nightly, often := scheduleText("nightly", "0 2 * * *", ns), scheduleText("often", "@every 5s", ns)

	write(nightly, wrongSchedule)
	ask(t, h, 1, wrongFields(), "schedule", "apply", "--source", "e2e", "-f", file)
	ask(t, h, 1, []string{"--time-zone: ", "@every"}, "schedule", "create", "drifting", "--schedule", "@every 24h", "--time-zone", "Europe/Berlin")
	write(nightly)
	ask(t, h, 0, []string{`schedule "nightly" created; next run `}, "schedule", "apply", "--source", "e2e", "-f", file)
	for range 19 {
		ask(t, h, 0, []string{`schedule "nightly" unchanged; next run `}, "schedule", "apply", "--source", "e2e", "-f", file)
	}
	if d := described(t, h, "nightly"); d.Info.NumActions > 0 || d.Info.LastUpdateAt.Unix() > 0 {
		t.Errorf("an apply without a change has changed Temporal's schedule, or started a run: %+v", d.Info)
	}
	before := ask(t, h, 0, nil, "schedule", "get", "nightly", "-o", "yaml").Out
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	ask(t, h, 0, []string{`schedule "nightly" unchanged`}, "schedule", "apply", "--source", "e2e", "-f", file)
	if after := ask(t, h, 0, nil, "schedule", "get", "nightly", "-o", "yaml").Out; after != before {
		t.Errorf("what get prints has changed:\n%s\n%s", before, after)
	}
	if got := ask(t, h, 0, nil, "backup", "get", "-o", "name").Out; got != "" || len(slots(t, h, "nightly")) > 0 {
		t.Errorf("an apply has started %s", got)
	}

	write(nightly, often)
	ask(t, h, 0, []string{`schedule "often" created`, `schedule "nightly" unchanged`}, "schedule", "apply", "--source", "e2e", "-f", file)
	checkFires(t, h)
	ask(t, h, 0, []string{`schedule "often" paused`}, "schedule", "pause", "often")
	checkStill(t, h)
	checkUnpaused(t, h)
	checkKept(t, h)
	checkTriggers(t, h)

	write(nightly)
	ask(t, h, 0, []string{`schedule "often" not applied`}, "schedule", "apply", "--source", "e2e", "-f", file)
	ask(t, h, 0, []string{`schedule "often" pruned; its backups stay`}, "schedule", "apply", "--source", "e2e", "-f", file, "--prune")
	ask(t, h, 4, nil, "schedule", "describe", "often")
	if got := ask(t, h, 0, nil, "backup", "get", "-l", "velero.io/schedule-name=often", "-o", "name").Out; got == "" {
		t.Error("the backups are gone with their schedule")
	}
	checkFloorOfGone(t, h)
	checkInvalidLater(t, own)
}

// withWest adds a storage location.
func withWest(c *config.Config) {
	c.BackupStorageLocations[0].Spec.Default = true
	west := c.BackupStorageLocations[0].DeepCopy()
	west.Name, west.Spec.Default = "west", false
	west.Spec.ObjectStorage.Prefix += "-west"
	c.BackupStorageLocations = append(c.BackupStorageLocations, *west)
}

// wrongSchedule has a fault in each of the wrongFields.
const wrongSchedule = `apiVersion: velero.io/v1
kind: Schedule
metadata: {name: wrong, namespace: velero}
spec:
  schedule: '0 25 * * *'
  template:
    storageLocation: nowhere
    volumeSnapshotLocations: [nowhere]
    ttl: -1h0m0s
    labelSelector: {matchExpressions: [{key: a, operator: Near}]}
`

func wrongFields() []string {
	return []string{
		`schedule "wrong": `, "spec.schedule: ", "spec.template.storageLocation: ", "spec.template.volumeSnapshotLocations[0]: ", "spec.template.ttl: ", "spec.template.labelSelector: ",
	}
}

// checkFloorOfGone lets the backups of a schedule that was deleted, which carry its label from their runs,
// expire: a collection leaves the last good one, until somebody names it.
func checkFloorOfGone(t *testing.T, h *harness.Harness) {
	t.Helper()
	all := backupsOf(t, h, "often")
	for _, name := range all {
		ask(t, h, 0, nil, "backup", "set-expiry", name, "0s")
	}
	ask(t, h, 0, []string{"among the last 1 good backups of schedule often"}, "gc", "plan")
	ask(t, h, 0, []string{fmt.Sprintf("%d expired backup", len(all)-1)}, "gc", "run")
	ask(t, h, 0, []string{"0 expired backups deleted", "1 expired backup left"}, "gc", "run")
	left := backupsOf(t, h, "often")
	if len(all) < 2 || len(left) != 1 {
		t.Fatalf("of %v are left %v", all, left)
	}
	ask(t, h, 0, nil, "backup", "delete", left[0], "--confirm")
	ask(t, h, 0, []string{"0 expired backups deleted", "0 expired backups left"}, "gc", "run")
	if left := backupsOf(t, h, "often"); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// checkInvalidLater takes a storage location from the configuration while a schedule names it.
func checkInvalidLater(t *testing.T, own *harness.Lab) {
	t.Helper()
	h := own.Harness
	ask(t, h, 0, []string{`schedule "western" created`}, "schedule", "create", "western", "--schedule", "0 2 * * *", "--storage-location", "west")
	if err := h.Reconfigure(func(c *config.Config) { c.BackupStorageLocations = c.BackupStorageLocations[:1] }); err != nil {
		t.Fatal(err)
	}
	own.Worker.Stop()
	own.ReplaceWorker(t)
	ask(t, h, 0, []string{"Invalid", `schedule "western" is invalid: `, "spec.template.storageLocation: "}, "schedule", "get")
	ask(t, h, 0, []string{"retained: location west unknown", "named by schedule western"}, "gc", "plan")
}

// TestScheduleOutage: after an outage of all workers one run starts, for the last due time, and
// each of the others is accounted for.
func TestScheduleOutage(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "outage").Replace("<outage>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns))
	own := l.Beside(t, harness.Options{Cluster: "outage"})
	h := own.Harness
	ask(t, h, 0, nil, "schedule", "create", "often", "--schedule", "@every 5s", "--include-namespaces", ns)
	checkFires(t, h)
	own.Worker.Kill()
	began := time.Now().Add(5 * time.Second) // what was begun before goes on
	time.Sleep(30 * time.Second)
	ended := time.Now()
	own.ReplaceWorker(t)
	eventually(t, "each due time of the outage has an outcome", func() error {
		res, err := h.CLI(t.Context(), "schedule", "describe", "often", "-o", "json")
		var status contract.ScheduleStatus
		if err == nil && res.Code == 0 {
			err = json.Unmarshal([]byte(res.Out), &status)
		}
		if err != nil || res.Code != 0 { // the worker has only just come back
			return fmt.Errorf("exit %d: %v: %s", res.Code, err, res.Err)
		}
		byDue := map[int64]string{}
		for _, s := range status.Slots {
			byDue[s.Due.Unix()] = s.Outcome
		}
		for due := began.Unix()/5*5 + 5; due < ended.Unix(); due += 5 {
			if byDue[due] == "" {
				return fmt.Errorf("%s has none: %v", time.Unix(due, 0).UTC(), byDue)
			}
		}
		return nil
	})
	ask(t, h, 0, nil, "schedule", "pause", "often")
	runs := 0
	for _, s := range slots(t, h, "often") {
		if s.Due.After(began) && s.Due.Before(ended) && s.Backup != "" {
			runs++
		}
	}
	if runs > 1 {
		t.Errorf("%d runs for due times of the outage", runs)
	}
}

func scheduleText(name, cron, namespace string) string {
	return fmt.Sprintf("apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: %s, namespace: velero}\nspec: {schedule: '%s', template: {includedNamespaces: [%s], ttl: 1h0m0s}}\n", name, cron, namespace)
}

func described(t *testing.T, h *harness.Harness, name string) *client.ScheduleDescription {
	t.Helper()
	d, err := h.Temporal.ScheduleClient().GetHandle(t.Context(), contract.ScheduleID(h.Cluster, name)).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func slots(t *testing.T, h *harness.Harness, name string) []contract.ScheduleSlot {
	t.Helper()
	var s contract.ScheduleStatus
	if err := json.Unmarshal([]byte(ask(t, h, 0, nil, "schedule", "describe", name, "-o", "json").Out), &s); err != nil {
		t.Fatal(err)
	}
	return s.Slots
}

// checkFires wants two runs, whose backups are named after their due times. The tests beside this
// one may break a type of the API server, so that a backup that was stored may be partial, and on
// a busy machine runs outlast their period, so that the last due time may be a skipped one.
func checkFires(t *testing.T, h *harness.Harness) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		var ran []contract.ScheduleSlot
		for _, s := range slots(t, h, "often") {
			if s.Outcome == contract.SlotRan && s.Backup != "" {
				ran = append(ran, s)
			}
		}
		if len(ran) >= 2 {
			if name := "often-" + ran[0].Due.UTC().Format("20060102150405"); ran[0].Backup != name || ran[0].Due.Unix()%5 != 0 || stored(t, h, name) != name {
				t.Errorf("%+v", ran[0])
			}
			ask(t, h, 0, []string{ran[1].Backup}, "backup", "get", "-l", "velero.io/schedule-name=often", "-o", "name")
			ask(t, h, 0, []string{"often", "Enabled", "s)"}, "schedule", "get")
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it does not fire: %+v", slots(t, h, "often"))
		}
	}
}

// checkStill wants no run of a schedule that is paused.
func checkStill(t *testing.T, h *harness.Harness) {
	t.Helper()
	eventually(t, "what was running ends", func() error {
		for _, s := range slots(t, h, "often") {
			if s.Outcome == contract.SlotRunning {
				return fmt.Errorf("%+v", s)
			}
		}
		return nil
	})
	before := ask(t, h, 0, nil, "backup", "get", "-o", "name").Out
	time.Sleep(11 * time.Second)
	if after := ask(t, h, 0, nil, "backup", "get", "-o", "name").Out; after != before {
		t.Errorf("a paused schedule has fired: %s", after)
	}
}

// checkUnpaused ends a pause in which due times have passed and wants none of them to be run; the
// answer tells a later one. Then it pauses again.
func checkUnpaused(t *testing.T, h *harness.Harness) {
	t.Helper()
	before := map[int64]bool{}
	for _, s := range slots(t, h, "often") {
		before[s.Due.Unix()] = true
	}
	asked := time.Now()
	out := ask(t, h, 0, []string{`schedule "often" unpaused; next run `}, "schedule", "unpause", "often").Out
	_, text, _ := strings.Cut(out, "; next run ")
	text, _, _ = strings.Cut(text, " (in ")
	next, err := time.Parse("2006-01-02 15:04:05 -0700 MST", text)
	if err != nil || next.Before(asked) {
		t.Fatalf("next run %s, %v", text, err)
	}
	eventually(t, "it runs again", func() error {
		ran := false
		for _, s := range slots(t, h, "often") {
			switch {
			case before[s.Due.Unix()] || s.Outcome == contract.SlotPaused:
			case s.Due.Before(asked):
				t.Fatalf("a due time of the pause that ended at %s: %+v", asked, s)
			case s.Outcome == contract.SlotRan:
				ran = true
			}
		}
		if !ran {
			return errors.New("no run")
		}
		return nil
	})
	ask(t, h, 0, []string{`schedule "often" paused`}, "schedule", "pause", "often")
}

// checkKept deletes the schedules in Temporal and wants them back.
func checkKept(t *testing.T, h *harness.Harness) {
	t.Helper()
	for _, name := range []string{"nightly", "often"} {
		if err := h.Temporal.ScheduleClient().GetHandle(t.Context(), contract.ScheduleID(h.Cluster, name)).Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		nightly, err := h.Temporal.ScheduleClient().GetHandle(t.Context(), contract.ScheduleID(h.Cluster, "nightly")).Describe(t.Context())
		often, otherErr := h.Temporal.ScheduleClient().GetHandle(t.Context(), contract.ScheduleID(h.Cluster, "often")).Describe(t.Context())
		if err == nil && otherErr == nil {
			if nightly.Schedule.State.Paused || !often.Schedule.State.Paused || nightly.Info.NumActions > 0 {
				t.Errorf("%+v %+v", nightly.Schedule.State, often.Schedule.State)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal(err, otherErr)
		}
	}
}

// checkTriggers wants one run of two triggers in a second.
func checkTriggers(t *testing.T, h *harness.Harness) {
	t.Helper()
	for range 2 {
		ask(t, h, 0, []string{`Schedule "nightly" triggered`}, "schedule", "trigger", "nightly")
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		all := slots(t, h, "nightly")
		if len(all) == 1 && all[0].Outcome == contract.SlotRan && all[0].Triggered {
			return
		}
		if time.Now().After(end) || len(all) > 1 {
			t.Fatalf("%+v", all)
		}
	}
}
