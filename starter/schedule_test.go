package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

func scheduleStatus() contract.ScheduleStatus {
	next := noon().Add(10 * time.Hour)
	seconds := int64(3*3600 + 5)
	last := contract.ScheduleSlot{Due: noon().Add(-3 * time.Hour), Outcome: contract.SlotRan, Phase: "Completed", Backup: "nightly-20260102090000", Started: noon().Add(-3 * time.Hour), Ended: noon().Add(-2 * time.Hour)}
	return contract.ScheduleStatus{
		Schedule: contract.Schedule{
			Name: "nightly", Labels: map[string]string{"team": "shop"}, Annotations: map[string]string{contract.AnnotationZone: "Europe/Berlin", contract.AnnotationRehearse: "weekly"}, From: "shop.yaml",
			Spec: velerov1.ScheduleSpec{Schedule: "0 2 * * *", Template: velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}}},
		},
		Source: "cli", Phase: contract.ScheduleEnabled, Created: noon().Add(-240 * time.Hour), Zone: "Europe/Berlin", Rehearse: "weekly", Overlap: contract.OverlapBufferOne,
		CatchUp: "1h0m0s", TTL: "720h0m0s", Next: &next, LastResult: &last, LastSuccess: &last, RPOSeconds: &seconds,
		Warnings: []string{"the last run took 25h"}, Counts: map[string]int64{"ran": 9, "missed": 1},
		Slots: []contract.ScheduleSlot{last, {Due: noon().Add(-27 * time.Hour), Outcome: contract.SlotMissed, Reason: "outage"}},
	}
}

func withSchedules(m *memory) {
	broken := contract.ScheduleStatus{Schedule: contract.Schedule{Name: "broken"}, Source: "cli", Phase: contract.ScheduleInvalid, Message: "spec.schedule: is empty"}
	m.reads = map[string]contract.ReadResult{
		contract.ReadSchedules:              {Schedules: []contract.ScheduleStatus{broken, scheduleStatus()}},
		contract.ReadSchedules + "/nightly": {Schedules: []contract.ScheduleStatus{scheduleStatus()}},
	}
	m.results = map[string]any{"schedules": contract.ChangeSchedulesResult{Changes: []contract.ScheduleChange{
		{Name: "nightly", Outcome: contract.ScheduleUnchanged, Next: scheduleStatus().Next},
		{Name: "old", Outcome: contract.ScheduleNotApplied, Warnings: []string{"look at it"}},
	}}}
}

// TestScheduleReads: tables say the state, documents are Velero's.
func TestScheduleReads(t *testing.T) {
	for _, tc := range []struct {
		line string
		want []string
	}{
		{"schedule get", []string{"nightly", "Enabled", "0 2 * * *", "Europe/Berlin", "3h (10805s)", "10h", "Invalid", `schedule "broken" is invalid: spec.schedule: is empty`, `warning: schedule "nightly": the last run took 25h`}},
		{"get schedules", []string{"nightly"}},
		{"schedule get -l team=shop -o name", []string{"nightly\n"}},
		{"schedule get nightly -o yaml", []string{"apiVersion: velero.io/v1\nkind: Schedule\n", "  schedule: 0 2 * * *\n  template:\n    includedNamespaces:\n    - shop\nstatus:\n"}},
		{"schedule describe nightly", []string{"Next run:", "RPO:               3h (10805s)", "Rehearse:          weekly", "Overlap:           bufferOne\n", "1 missed, 9 ran", "applied from shop.yaml", "outage", "nightly-20260102090000", "1h0m0s"}},
		{"schedule describe nightly -o json", []string{`"rpoSeconds": 10805`}},
	} {
		t.Run(tc.line, func(t *testing.T) {
			m := &memory{}
			withSchedules(m)
			r := lifeboat(t, m, "", strings.Fields(tc.line)...)
			for _, want := range tc.want {
				if !strings.Contains(r.out+r.errors, want) {
					t.Errorf("no %q in\n%s%s", want, r.out, r.errors)
				}
			}
		})
	}
}

// TestDescribedOverlap: the policy is told also where the document has none.
func TestDescribedOverlap(t *testing.T) {
	m := &memory{}
	s := scheduleStatus()
	s.Overlap = contract.OverlapSkip
	m.reads = map[string]contract.ReadResult{contract.ReadSchedules + "/nightly": {Schedules: []contract.ScheduleStatus{s}}}
	if r := lifeboat(t, m, "", "schedule", "describe", "nightly"); !strings.Contains(r.out, "Overlap:           skip\n") {
		t.Error(r.out, r.errors)
	}
}

// TestSchedulePrintedIsApplied: what get prints is what was read.
func TestSchedulePrintedIsApplied(t *testing.T) {
	m := &memory{}
	withSchedules(m)
	out := lifeboat(t, m, "", "schedule", "get", "nightly", "-o", "yaml").out
	all, err := manifest.Schedules(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	want := scheduleStatus().Schedule
	want.From = ""
	if printed(t, manifest.ScheduleDocument(all[0])) != printed(t, manifest.ScheduleDocument(want)) {
		t.Errorf("got %+v, want %+v", all[0], want)
	}
}

// TestScheduleChanges: what commands ask the worker for.
func TestScheduleChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: nightly}\nspec: {schedule: '@daily', template: {}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nightly := contract.Schedule{Name: "nightly", From: "shop.yaml", Spec: velerov1.ScheduleSpec{Schedule: "@daily"}}
	named := nightly
	named.From = "source/shop"
	made := contract.Schedule{Name: "a", Labels: map[string]string{"x": "y"}, Annotations: map[string]string{contract.AnnotationOverlap: "bufferOne"}, Spec: velerov1.ScheduleSpec{Schedule: "0 2 * * *", Paused: true}}
	made.Spec.Template.IncludedNamespaces, made.Spec.Template.TTL.Duration = []string{"shop"}, time.Hour
	for _, tc := range []struct {
		args []string
		want any
	}{
		{[]string{"schedule", "apply", "-f", file}, contract.ChangeSchedulesInput{Apply: []contract.Schedule{nightly}, Sources: []string{"shop.yaml"}}},
		{[]string{"schedule", "apply", "-f", file, "--prune", "--source", "shop"}, contract.ChangeSchedulesInput{Apply: []contract.Schedule{named}, Sources: []string{"source/shop"}, Prune: true}},
		{[]string{"schedule", "create", "a", "--schedule", "0 2 * * *", "--labels", "x=y", "--overlap", "bufferOne", "--paused", "--include-namespaces", "shop", "--ttl", "1h"}, contract.ChangeSchedulesInput{Apply: []contract.Schedule{made}, Create: true}},
		{[]string{"schedule", "pause", "nightly"}, contract.ChangeSchedulesInput{Pause: []string{"nightly"}}},
		{[]string{"schedule", "unpause", "--all"}, contract.ChangeSchedulesInput{Unpause: []string{"broken", "nightly"}}},
		{[]string{"schedule", "delete", "-l", "team=shop", "--confirm"}, contract.ChangeSchedulesInput{Delete: []string{"nightly"}}},
		{[]string{"schedule", "trigger", "nightly"}, "nightly bufferOne"},
	} {
		t.Run(strings.Join(tc.args[:2], " "), func(t *testing.T) {
			m := &memory{}
			withSchedules(m)
			r := lifeboat(t, m, "", tc.args...)
			if r.code != 0 || len(m.started) != 1 || printed(t, m.started[0]) != printed(t, tc.want) {
				t.Errorf("exit %d, asked for %+v, want %+v\n%s", r.code, m.started, tc.want, r.errors)
			}
		})
	}
}

// TestSchedulesOfTheConfiguration: whoever means all schedules acts on those that can be changed, and
// is told which stand in the worker's configuration.
func TestSchedulesOfTheConfiguration(t *testing.T) {
	own, listed, off, stopped := scheduleStatus(), scheduleStatus(), scheduleStatus(), scheduleStatus()
	listed.Source, listed.Schedule.Name = "config", "listed"
	off.Source, off.Schedule.Name, off.Schedule.Spec.Paused = "config", "off", true
	stopped.Source, stopped.Schedule.Name, stopped.Schedule.Spec.Paused, stopped.PausedByHand = "config", "stopped", true, true
	for line, tc := range map[string]struct {
		code int
		want contract.ChangeSchedulesInput
		left string
	}{
		"schedule delete --all --confirm":          {console.CodePartiallyFailed, contract.ChangeSchedulesInput{Delete: []string{"nightly"}}, "left as they are, for they stand in the worker's configuration: listed, off, stopped"},
		"schedule delete -l team=shop --confirm":   {console.CodePartiallyFailed, contract.ChangeSchedulesInput{Delete: []string{"nightly"}}, "listed, off, stopped"},
		"schedule pause --all":                     {console.CodeDone, contract.ChangeSchedulesInput{Pause: []string{"listed", "nightly", "off", "stopped"}}, ""},
		"schedule unpause --all":                   {console.CodePartiallyFailed, contract.ChangeSchedulesInput{Unpause: []string{"listed", "nightly", "stopped"}}, "paused in the worker's configuration: off"},
		"schedule delete listed nightly --confirm": {console.CodeDone, contract.ChangeSchedulesInput{Delete: []string{"listed", "nightly"}}, ""}, // the worker refuses
	} {
		t.Run(line, func(t *testing.T) {
			m := &memory{}
			withSchedules(m)
			m.reads[contract.ReadSchedules] = contract.ReadResult{Schedules: []contract.ScheduleStatus{listed, own, off, stopped}}
			r := lifeboat(t, m, "", strings.Fields(line)...)
			r.want(t, tc.code, tc.left)
			if len(m.started) != 1 || printed(t, m.started[0]) != printed(t, tc.want) {
				t.Errorf("asked for %+v, want %+v\n%s", m.started, tc.want, r.errors)
			}
		})
	}
	m := &memory{}
	withSchedules(m)
	m.reads[contract.ReadSchedules] = contract.ReadResult{Schedules: []contract.ScheduleStatus{listed}}
	lifeboat(t, m, "", "schedule", "delete", "--all", "--confirm").want(t, console.CodePartiallyFailed, "listed")
	if len(m.started) > 0 {
		t.Errorf("%+v", m.started)
	}
}

// TestPruneNeedsSource: directories of two repositories may have one name, so that nothing is pruned by it.
func TestPruneNeedsSource(t *testing.T) {
	for _, repository := range []string{"a", "b"} {
		dir := filepath.Join(t.TempDir(), repository, "schedules")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte("apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: nightly}\nspec: {schedule: '@daily', template: {}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Chdir(dir)
		m := &memory{}
		withSchedules(m)
		lifeboat(t, m, "", "schedule", "apply", "-f", ".", "--prune").want(t, 1, "--prune: name with --source what is applied")
		if len(m.started) > 0 {
			t.Errorf("%+v", m.started)
		}
		lifeboat(t, m, "", "schedule", "apply", "-f", ".", "--source", repository, "--prune").want(t, 0)
		if got := m.started[0].(contract.ChangeSchedulesInput); got.Sources[0] != "source/"+repository || got.Apply[0].From != "source/"+repository {
			t.Errorf("%+v", got)
		}
		lifeboat(t, m, "", "schedule", "apply", "-f", ".").want(t, 0, "prune deletes it where applies name a --source")
		if got := m.started[1].(contract.ChangeSchedulesInput); got.Sources[0] != "schedules" {
			t.Errorf("%+v", got)
		}
	}
}

// TestSchedulePreset makes three schedules, each with the flags.
func TestSchedulePreset(t *testing.T) {
	m := &memory{}
	withSchedules(m)
	r := lifeboat(t, m, "", "schedule", "create", "--preset", "gfs", "--storage-location", "west")
	in, ok := m.started[0].(contract.ChangeSchedulesInput)
	if r.code != 0 || !ok || len(in.Apply) != 3 || in.Apply[2].Name != "monthly" || in.Apply[2].Spec.Template.StorageLocation != "west" || in.Apply[0].Spec.Template.TTL.Duration != 168*time.Hour {
		t.Errorf("%+v %s", m.started, r.errors)
	}
}

// TestScheduleRefusals: what the command line can tell by itself changes nothing.
func TestScheduleRefusals(t *testing.T) {
	for line, want := range map[string]string{
		"schedule create":                                                          "a schedule needs a name",
		"schedule create a":                                                        "--schedule: say when",
		"schedule create a --preset gfs":                                           "leave NAME out",
		"schedule create --preset x":                                               "--preset: ",
		"schedule create a --schedule @daily --ttl 0s":                             "0 would be the worker's default",
		"schedule create a --schedule 25:00 -o yaml":                               `schedule "a": cron "25:00": `,
		"schedule create a --schedule @daily --time-zone Mars/Base -o json":        `schedule "a": time zone "Mars/Base" is not known`,
		"drill schedule a --quarterly --namespace a --time-zone Mars/Base -o yaml": `schedule "a": time zone "Mars/Base" is not known`,
		"drill schedule a --schedule @every --namespace a -o yaml":                 `schedule "a": cron "@every"`,
		"schedule apply":                                                           "-f: say which files",
		"schedule apply -f -":                                                      "holds no document",
		"schedule apply -f /nowhere/x.yaml":                                        "no such file",
		"schedule pause":                                                           "in one way",
		"schedule pause nightly --all":                                             "in one way",
		"schedule pause other":                                                     `schedule "other": not found`,
		"schedule delete nightly":                                                  "nothing was deleted",
		"schedule trigger":                                                         "lifeboat schedule trigger takes the name of one schedule, got 0 arguments; see 'lifeboat schedule get'",
		"schedule trigger broken":                                                  "is invalid: spec.schedule: is empty",
		"schedule get other":                                                       "not found",
		"backup create --from-schedule nightly -f x":                               "give one of them",
	} {
		t.Run(line, func(t *testing.T) {
			m := &memory{}
			withSchedules(m)
			if r := lifeboat(t, m, "", strings.Fields(line)...); r.code == 0 || !strings.Contains(r.errors, want) || len(m.started) > 0 {
				t.Errorf("exit %d: %s %v", r.code, r.errors, m.started)
			}
		})
	}
}

// TestScheduleRefusedByTheWorker: a refusal names what was typed: flags where the schedule was
// described by flags, fields where it was by a file.
func TestScheduleRefusedByTheWorker(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: a}\nspec: {schedule: '@daily', template: {}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := func(args ...string) result {
		m := &memory{failures: map[string]error{"schedules": &temporal.RunError{
			Run: temporal.Run{Kind: temporal.KindSchedules, Name: "schedules"}, Phase: "FailedValidation",
			Message: "schedule a: metadata.annotations[lifeboat-backup.github.io/time-zone]: is not known; spec.template.volumeSnapshotLocations[0]: there is none; spec.template.includedNamespaces[0]: is no name",
		}}}
		return lifeboat(t, m, "", args...)
	}
	for _, preset := range [][]string{{"a", "--schedule", "@daily"}, {"--preset", "gfs"}} {
		r := refused(append([]string{"schedule", "create"}, preset...)...)
		if r.want(t, console.CodeError, "schedule a: --time-zone: is not known; --volume-snapshot-locations[0]: there is none; --include-namespaces[0]: is no name"); strings.Contains(r.errors, "spec.") {
			t.Error(r.errors)
		}
	}
	refused("schedule", "apply", "-f", file).want(t, console.CodeError, "schedule a: metadata.annotations[lifeboat-backup.github.io/time-zone]: is not known; spec.template.volumeSnapshotLocations[0]")
}

// TestScheduleDirectory: a directory may hold other things; what may have been a schedule stops the
// apply, all such files are named, and nothing is changed.
func TestScheduleDirectory(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("shop.yaml", "apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: nightly}\nspec: {schedule: '@daily', template: {}}\n")
	write("values.yaml", "image: {tag: v1}\n")
	write("list.json", `[1, 2]`)
	write("k8up.yaml", "apiVersion: k8up.io/v1\nkind: Schedule\nmetadata: {name: theirs}\nspec: {}\n")
	write("map.yaml", "apiVersion: v1\nkind: ConfigMap\n")
	m := &memory{}
	withSchedules(m)
	r := lifeboat(t, m, "", "schedule", "apply", "-f", dir)
	r.want(t, 0, "values.yaml: passed over", "list.json: passed over")
	if in, ok := m.started[0].(contract.ChangeSchedulesInput); !ok || len(in.Apply) != 1 || in.Apply[0].Name != "nightly" || strings.Contains(r.errors, "map.yaml") {
		t.Errorf("%+v\n%s", m.started, r.errors)
	}
	lifeboat(t, m, "", "schedule", "apply", "-f", filepath.Join(dir, "values.yaml")).want(t, 1, "values.yaml: not a Velero document")
	write("broken.yaml", "kind: Schedule\nspec: {schedule: '@daily'\n")
	write("forgotten.yaml", "apiVersion: velero.io/v1\nspec: {schedule: '@daily'}\n")
	lifeboat(t, m, "", "schedule", "apply", "-f", dir, "--source", "shop", "--prune").want(t, 1, "broken.yaml: parse YAML", "forgotten.yaml: kind: (not given)")
	if len(m.started) != 1 {
		t.Errorf("%+v", m.started)
	}
}

// TestCompletedFlags: what a flag takes is offered, on every command that has it, and the names of schedules.
func TestCompletedFlags(t *testing.T) {
	m := stock()
	m.reads[contract.ReadLocations] = contract.ReadResult{Locations: []contract.LocationStatus{{Name: "default"}}}
	m.reads[contract.ReadSchedules] = contract.ReadResult{Schedules: []contract.ScheduleStatus{scheduleStatus()}}
	for line, want := range map[string]string{
		"restore create --from-backup":     "daily-20260101000000\ndaily-20260102000000\nnightly\n",
		"drill run --from-backup":          "daily-20260101000000\ndaily-20260102000000\nnightly\n",
		"drill schedule --from-schedule":   "nightly\n",
		"backup create --from-schedule":    "nightly\n",
		"backup create --storage-location": "default\n",
		"drill run --level":                "L0\nL1\nL2\nL3\nL4\nL5\n",
		"schedule get -o":                  "table\njson\nyaml\nname\n",
		"backup get -o":                    "table\njson\nyaml\nname\n",
		"backup cost -o":                   "table\njson\nyaml\n",
		"schedule create --preset":         "gfs\n",
		"schedule create --overlap":        "skip\nbufferOne\n",
		"schedule describe":                "nightly\n",
		"schedule get":                     "nightly\n",
		"schedule pause":                   "nightly\n",
		"schedule unpause":                 "nightly\n",
		"schedule trigger":                 "nightly\n",
		"schedule delete":                  "nightly\n",
	} {
		if r := lifeboat(t, m, "", append(append([]string{"__complete"}, strings.Fields(line)...), "")...); !strings.HasPrefix(r.out, want) || !strings.Contains(r.out, ":4") {
			t.Errorf("%s: %q", line, r.out)
		}
	}
}

// TestBackupFromSchedule: the template, with flags over it.
func TestBackupFromSchedule(t *testing.T) {
	m := &memory{}
	withSchedules(m)
	lifeboat(t, m, "", "backup", "create", "--from-schedule", "nightly", "--ttl", "1h")
	if len(m.started) != 1 {
		t.Fatal(m.started)
	}
	in := m.started[0].(contract.BackupInput)
	if !strings.HasPrefix(in.Name, "nightly-2") || in.Labels["velero.io/schedule-name"] != "nightly" || in.Labels["team"] != "shop" || in.Spec.TTL.Duration != time.Hour || in.Spec.IncludedNamespaces[0] != "shop" {
		t.Errorf("%+v", in)
	}
}

// printed is a value as it is sent.
func printed(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
