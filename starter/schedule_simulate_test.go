package main

import (
	"encoding/json"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/simulation"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

func TestSimulatePreset(t *testing.T) {
	got := lifeboat(t, nil, "", "schedule", "simulate", "--preset", "gfs", "--from", "2027-01-01", "--to", "2028-01-12", "--snapshots", "3", "--quota", "70")
	got.want(t, console.CodeDone, `NAME      SCHEDULE    TIME ZONE   TTL         DUE   RAN   SKIPPED   DELETED   KEPT   MOST KEPT
daily     0 2 * * *   UTC         168h0m0s    376   376   0         369       7      7
weekly    0 3 * * 0   UTC         672h0m0s    54    54    0         50        4      4
monthly   0 4 1 * *   UTC         8760h0m0s   13    13    0         1         12     12
`, `FROM         TO           DAILY   WEEKLY   MONTHLY   KEPT   SNAPSHOTS
2027-01-01   2027-01-01   1       0        1         2      6
`, "2027-12-01   2028-01-11   7       4        12        23     69\n",
		"At most 23 backups at one time, and 72 snapshots.", "That is 2 snapshots above the quota of 70, first at 2027-12-0")
	lifeboat(t, nil, "", "schedule", "simulate", "--preset", "gfs").want(t, console.CodeDone, "Snapshots are counted with --snapshots")
}

func TestSimulateFile(t *testing.T) {
	const file = `
apiVersion: velero.io/v1
kind: Schedule
metadata:
  name: often
  annotations: {lifeboat-backup.github.io/time-zone: Europe/Berlin, lifeboat-backup.github.io/overlap: bufferOne}
spec:
  schedule: "0 */2 * * *"
  template: {ttl: 24h, snapshotVolumes: false}
---
apiVersion: velero.io/v1
kind: Schedule
metadata: {name: idle}
spec: {schedule: "@daily", paused: true, template: {}}
`
	got := lifeboat(t, nil, file, "schedule", "simulate", "-f", "-", "--from", "2027-01-01T00:00:00Z", "--to", "2027-01-02", "--duration", "3h", "--snapshots", "9", "-o", "json")
	got.want(t, console.CodeDone, "left out, since they are paused: idle")
	var res simulation.Result
	if err := json.Unmarshal([]byte(got.out), &res); err != nil {
		t.Fatal(err)
	}
	if s := res.Schedules[0]; len(res.Schedules) != 1 || s.Due != 12 || s.Ran != 8 || s.Skipped != 3 || res.PeakSnapshots != 0 {
		t.Errorf("got %+v", res.Schedules)
	}
	if r := res.Runs[0]; r.Backup != "often-20270101010000" || r.Completed.Hour() != 4 {
		t.Errorf("the first run is %+v", r)
	}
}

func TestSimulateStored(t *testing.T) {
	stored := func(name string) contract.ScheduleStatus {
		return contract.ScheduleStatus{Schedule: contract.Schedule{Name: name, Spec: velerov1.ScheduleSpec{Schedule: "@daily"}}}
	}
	m := &memory{reads: map[string]contract.ReadResult{contract.ReadSchedules + "/": {Schedules: []contract.ScheduleStatus{stored("a"), stored("b")}}}}
	lifeboat(t, m, "", "schedule", "simulate").want(t, console.CodeDone, "\na      @daily", "\nb      @daily", "720h0m0s")
	lifeboat(t, m, "", "schedule", "simulate", "b").want(t, console.CodeDone, "\nb      @daily")
	lifeboat(t, m, "", "schedule", "simulate", "c").want(t, console.CodeNotFound, `schedule "c"`)
	none := &memory{reads: map[string]contract.ReadResult{contract.ReadSchedules + "/": {}}}
	lifeboat(t, none, "", "schedule", "simulate").want(t, console.CodeError, "the cluster has no schedules: give some with -f FILE")
}

func TestSimulateRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"exclude each other":   {"--preset", "gfs", "-f", "x"},
		"leave it out":         {"--preset", "gfs", "nightly"},
		"use one of gfs":       {"--preset", "x"},
		"no such file":         {"-f", "/nowhere"},
		"--from":               {"--preset", "gfs", "--from", "tomorrow"},
		"before the beginning": {"--preset", "gfs", "--from", "2027-01-02", "--to", "2027-01-01"},
		"not one of table":     {"--preset", "gfs", "-o", "xml"},
		"cannot be below zero": {"--preset", "gfs", "--snapshots", "-1"},
		"--keep-last: -1":      {"--preset", "gfs", "--keep-last", "-1"},
		"--quota: -5":          {"--preset", "gfs", "--quota", "-5"},
	} {
		lifeboat(t, nil, "", append([]string{"schedule", "simulate"}, args...)...).want(t, console.CodeError, want)
	}
}
