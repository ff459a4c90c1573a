package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// shopDrills is a schedule of drills with everything that its flags can say.
func shopDrills() contract.Schedule {
	return contract.Schedule{
		Name: "shop", Annotations: map[string]string{contract.AnnotationZone: "Europe/Berlin", contract.AnnotationCatchUp: "2h0m0s", contract.AnnotationJitter: "5m0s"},
		Spec:  velerov1.ScheduleSpec{Schedule: "@monthly", Paused: true},
		Drill: &definition.Spec{Source: definition.Source{Schedule: "nightly"}, IncludedNamespaces: []string{"shop"}},
	}
}

func withDrillSchedules(m *memory) {
	next := noon().Add(10 * time.Hour)
	ran := contract.ScheduleSlot{Due: noon().Add(-3 * time.Hour), Outcome: contract.SlotRan, Phase: "Completed", Backup: "nightly-1", Started: noon().Add(-3 * time.Hour), Ended: noon().Add(-2 * time.Hour)}
	skipped := contract.ScheduleSlot{Due: noon().Add(-27 * time.Hour), Outcome: contract.SlotSkipped, Reason: "overlap: another drill of the cluster went on"}
	status := contract.ScheduleStatus{
		Schedule: shopDrills(), Source: "cli", Phase: contract.ScheduleEnabled, Created: noon().Add(-240 * time.Hour), Zone: "Europe/Berlin", Overlap: contract.OverlapSkip,
		CatchUp: "2h0m0s", Next: &next, LastResult: &ran, LastSuccess: &ran, Counts: map[string]int64{"ran": 1, "skipped": 1}, Slots: []contract.ScheduleSlot{ran, skipped},
	}
	m.reads = map[string]contract.ReadResult{
		contract.ReadDrillSchedules: {Schedules: []contract.ScheduleStatus{status}}, contract.ReadDrillSchedules + "/shop": {Schedules: []contract.ScheduleStatus{status}},
	}
	m.results = map[string]any{"schedules": contract.ChangeSchedulesResult{Changes: []contract.ScheduleChange{{Name: "shop", Outcome: contract.ScheduleCreated, Next: &next}}}}
}

// TestDrillScheduleReads: a table says the state, and the document is that of a drill, which
// applied again is the same schedule.
func TestDrillScheduleReads(t *testing.T) {
	m := &memory{}
	withDrillSchedules(m)
	lifeboat(t, m, "", "drill", "schedule", "get").want(t, 0, "shop", "@monthly", "Europe/Berlin", "nightly", "3h", "10h")
	lifeboat(t, m, "", "drill", "schedule", "describe", "shop").want(t, 0, "Catch-up window:", "1 ran, 1 skipped", "Drill:\n", "schedule: nightly", "another drill of the cluster went on")
	lifeboat(t, m, "", "drill", "schedule", "trigger", "--help").want(t, 0, "behind another drill of the cluster it waits")
	lifeboat(t, m, "", "drill", "schedule", "get", "none").want(t, 4, "see 'lifeboat drill schedule get'")
	out := lifeboat(t, m, "", "drill", "schedule", "get", "shop", "-o", "yaml").out
	all, err := manifest.DrillSchedules(strings.NewReader(out))
	if err != nil || len(all) != 1 || printed(t, all[0].DrillDocument()) != printed(t, drillDocument(shopDrills())) {
		t.Errorf("%v\n%+v", err, all)
	}
}

func drillDocument(s contract.Schedule) definition.Drill { return s.DrillDocument() }

// TestDrillScheduleChanges: what commands ask the worker for; the command of the issue stands as it
// is typed.
func TestDrillScheduleChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drills.yaml")
	text := "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: lifeboat-backup.github.io/v1\nkind: Drill\nmetadata: {name: shop}\nspec:\n  schedule: {cron: '@monthly', timeZone: Europe/Berlin, catchUpWindow: 2h, jitter: 5m, paused: true}\n  source: {schedule: nightly}\n  includedNamespaces: [shop]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	quarterly := contract.Schedule{Name: "bookstore", Spec: velerov1.ScheduleSpec{Schedule: "0 9 1-7 1,4,7,10 TUE"}, Drill: &definition.Spec{Source: definition.Source{Pick: definition.PickLatest}, IncludedNamespaces: []string{"bookstore"}}}
	named := quarterly
	named.Name = "q"
	applied := shopDrills()
	applied.From = "source/shop"
	for _, tc := range []struct {
		args []string
		want any
	}{
		{[]string{"--quarterly", "--namespace", "bookstore"}, contract.ChangeSchedulesInput{Drills: true, Apply: []contract.Schedule{quarterly}, Create: true}},
		{[]string{"create", "q", "--quarterly", "--include-namespaces", "bookstore"}, contract.ChangeSchedulesInput{Drills: true, Apply: []contract.Schedule{named}, Create: true}},
		{[]string{"shop", "--schedule", "@monthly", "--time-zone", "Europe/Berlin", "--catch-up-window", "2h", "--jitter", "5m", "--paused", "--from-schedule", "nightly", "-n", "shop"}, contract.ChangeSchedulesInput{Drills: true, Apply: []contract.Schedule{shopDrills()}, Create: true}},
		{[]string{"-f", file}, contract.ChangeSchedulesInput{Drills: true, Apply: []contract.Schedule{shopDrills()}, Create: true}},
		{[]string{"apply", "-f", file, "--prune", "--source", "shop"}, contract.ChangeSchedulesInput{Drills: true, Apply: []contract.Schedule{applied}, Sources: []string{"source/shop"}, Prune: true}},
		{[]string{"pause", "shop"}, contract.ChangeSchedulesInput{Drills: true, Pause: []string{"shop"}}},
		{[]string{"unpause", "--all"}, contract.ChangeSchedulesInput{Drills: true, Unpause: []string{"shop"}}},
		{[]string{"delete", "shop", "--confirm"}, contract.ChangeSchedulesInput{Drills: true, Delete: []string{"shop"}}},
		{[]string{"trigger", "shop"}, "shop skip of drills"},
	} {
		t.Run(tc.args[0], func(t *testing.T) {
			m := &memory{}
			withDrillSchedules(m)
			r := lifeboat(t, m, "", append([]string{"drill", "schedule"}, tc.args...)...)
			if r.code != 0 || len(m.started) != 1 || printed(t, m.started[0]) != printed(t, tc.want) {
				t.Errorf("exit %d, asked for %s\nwant %s\n%s", r.code, printed(t, m.started), printed(t, tc.want), r.errors)
			}
		})
	}
}

// TestDrillScheduleRefused: what is missing is named with the remedy; a drill that is run by hand
// takes a document with a schedule, and runs it once.
func TestDrillScheduleRefused(t *testing.T) {
	m := &memory{}
	withDrillSchedules(m)
	lifeboat(t, m, "", "drill", "schedule", "--namespace", "shop").want(t, 1, "--quarterly, or --schedule")
	lifeboat(t, m, "", "drill", "schedule", "--namespace", "shop", "--quarterly", "--schedule", "@daily").want(t, 1, "exclude each other")
	lifeboat(t, m, "", "drill", "schedule", "--quarterly").want(t, 1, "name the drill")
	document := "apiVersion: lifeboat-backup.github.io/v1\nkind: Drill\nmetadata: {name: shop}\nspec: {source: {schedule: nightly}}\n"
	lifeboat(t, m, document, "drill", "schedule", "apply", "-f", "-").want(t, 1, "spec.schedule: is missing", "drill run -f")
	lifeboat(t, m, document+"---\nkind: Drill\nspec: {}\n", "drill", "run", "-f", "-").want(t, 1)
	m.results["shop"] = drillResult("passed")
	paused := strings.Replace(document, "spec: {", "spec: {schedule: {cron: '@daily', paused: true}, ", 1)
	for flag, want := range map[string]bool{"--paused=false": false, "--paused": true, "--jitter=1m": true} {
		r := lifeboat(t, m, paused, "drill", "schedule", "-f", "-", flag, "-o", "yaml")
		if got := strings.Contains(r.out, "paused: true"); r.code != 0 || got != want {
			t.Errorf("%s: exit %d, paused %t\n%s%s", flag, r.code, got, r.out, r.errors)
		}
	}
	lifeboat(t, m, document, "drill", "schedule", "-f", "-", "--schedule", "@daily", "--jitter", "-3h", "-o", "yaml").want(t, 0, "-3h")
	with := strings.Replace(document, "spec: {", "spec: {schedule: {cron: '@daily'}, ", 1)
	lifeboat(t, m, with, "drill", "run", "-f", "-", "--wait").want(t, 0)
	if in, ok := m.started[len(m.started)-1].(contract.DrillInput); !ok || in.Spec.Schedule != nil {
		t.Errorf("%+v", m.started)
	}
	lifeboat(t, m, "", "drill", "schedule", "q", "--quarterly", "--random", "--level", "L2", "-o", "yaml").want(t, 0, "kind: Drill", "pick: random", "cron: 0 9 1-7 1,4,7,10 TUE")
}
