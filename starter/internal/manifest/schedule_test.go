package manifest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// exported is what kubectl prints of a schedule, between other documents.
const exported = `# schedules of the shop
apiVersion: v1
kind: ConfigMap
metadata: {name: policies}
---
apiVersion: velero.io/v1
kind: Schedule
metadata:
  name: nightly
  namespace: velero
  uid: 7c1f3c52-0000-4000-8000-000000000000
  resourceVersion: "12"
  generation: 3
  creationTimestamp: "2026-01-02T15:04:05Z"
  labels: {team: shop}
  annotations:
    lifeboat-backup.github.io/time-zone: Europe/Berlin
spec:
  schedule: 0 2 * * *
  skipImmediately: false
  useOwnerReferencesInBackup: false
  template:
    csiSnapshotTimeout: 0s
    hooks: {}
    includedNamespaces: [shop]
    itemOperationTimeout: 0s
    metadata: {labels: {tier: a}}
    ttl: 168h0m0s
status:
  lastBackup: "2026-01-03T02:00:00Z"
  phase: Enabled
---
apiVersion: velero.io/v1
kind: ScheduleList
items:
- apiVersion: velero.io/v1
  kind: Schedule
  metadata: {name: hourly}
  spec: {schedule: '@hourly', paused: true, template: {ttl: 0s}}
`

func TestSchedules(t *testing.T) {
	all, err := manifest.Schedules(strings.NewReader(exported))
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	s := all[0]
	if s.Name != "nightly" || s.Labels["team"] != "shop" || s.Annotations[contract.AnnotationZone] != "Europe/Berlin" ||
		s.Spec.Schedule != "0 2 * * *" || s.Spec.Template.TTL.Duration != 168*time.Hour || s.Spec.Template.Metadata.Labels["tier"] != "a" {
		t.Errorf("%+v", s)
	}
	if !all[1].Spec.Paused || all[1].Name != "hourly" {
		t.Errorf("%+v", all[1])
	}
}

func TestSchedulesRefused(t *testing.T) {
	const head = "apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: a}\n"
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "holds no document"},
		{"others", "kind: ConfigMap\n---\napiVersion: velero.io/v1\nkind: Backup\n", "holds no document of kind Schedule"},
		{"no kind", "a: b", "not a Velero document"},
		{"kind forgotten", "apiVersion: velero.io/v1\nspec: {schedule: '@daily'}\n", "kind: (not given)"},
		{"kind forgotten too", "metadata: {name: a}\nspec: {}\n", "kind: (not given)"},
		{"no YAML", "kind: {{ .Values.kind }}\n", "parse YAML"},
		{"another's", "apiVersion: k8up.io/v1\nkind: Schedule\nspec: {backup: {}}\n", "holds no document of kind Schedule of velero.io/v1"},
		{"another version", "apiVersion: velero.io/v2\nkind: Schedule\n", `apiVersion: "velero.io/v2" is not velero.io/v1`},
		{"version", "kind: Schedule\n", "apiVersion: (not given)"},
		{"name", "apiVersion: velero.io/v1\nkind: Schedule\nspec: {}\n", "metadata.name: a schedule needs a name"},
		{"unknown", head + "spec: {cron: '@daily'}\n", "schedule a: spec.cron: unknown field"},
		{"in the template", head + "spec: {template: {includeNamespaces: [a]}}\n", "schedule a: spec.template.includeNamespaces: unknown field"},
		{"twice", head + "spec: {schedule: a, schedule: b}\n", "already set"},
		{"zero", head + "spec: {template: {ttl: 0h}}\n", "spec.template.ttl: 0 would be the worker's default"},
		{"a day", head + "spec: {template: {ttl: 30d}}\n", "spec.template.ttl: time: unknown unit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := manifest.Schedules(strings.NewReader(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func FuzzSchedules(f *testing.F) {
	f.Add([]byte(exported))
	f.Add([]byte(`{"kind":"List","items":[{"kind":"Schedule"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := manifest.Schedules(bytes.NewReader(data))
		if err != nil || len(all) != 1 {
			return
		}
		printed, err := json.Marshal(manifest.ScheduleDocument(all[0]))
		if err != nil {
			t.Fatal(err)
		}
		if len(printed) > 1<<20 {
			return
		}
		again, err := manifest.Schedules(bytes.NewReader(printed))
		if err != nil {
			t.Fatalf("accepted once, refused then: %v\n%s", err, printed)
		}
		first, _ := json.Marshal(all)
		second, _ := json.Marshal(again)
		if !bytes.Equal(first, second) {
			t.Errorf("read %s, then %s", first, second)
		}
	})
}

// TestGeneratedName: an apply would make a new schedule each time, as kubectl's would.
func TestGeneratedName(t *testing.T) {
	const want = "metadata.generateName: each apply would make a new schedule: give it a metadata.name"
	text := "apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {generateName: nightly-}\nspec: {schedule: '@daily', template: {}}\n"
	if all, err := manifest.Schedules(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
		t.Error(all, err)
	}
	text = "apiVersion: lifeboat-backup.github.io/v1\nkind: Drill\nmetadata: {generateName: shop-}\nspec: {schedule: {cron: '@monthly'}, source: {schedule: nightly}, includedNamespaces: [shop]}\n"
	if all, err := manifest.DrillSchedules(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
		t.Error(all, err)
	}
	if d, err := manifest.Drill(strings.NewReader(text)); err != nil || !strings.HasPrefix(d.Metadata.Name, "shop-") {
		t.Error(d, err)
	}
	named := strings.Replace(text, "{generateName: shop-}", "{name: shop, generateName: shop-}", 1)
	if all, err := manifest.DrillSchedules(strings.NewReader(named)); err != nil || all[0].Name != "shop" {
		t.Error(all, err)
	}
}

// TestDurations: a number is no duration, 0 has the words of "0", and null is as if it were not there.
func TestDurations(t *testing.T) {
	const zero, unit = "spec.template.ttl: 0 would be the worker's default", "write durations like 72h"
	schedule := func(template string) error {
		_, err := manifest.Schedules(strings.NewReader("apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: a}\nspec: {schedule: '@daily', template: {" + template + "}}\n"))
		return err
	}
	backup := func(spec string) error {
		_, err := manifest.Backup(strings.NewReader("apiVersion: velero.io/v1\nkind: Backup\nmetadata: {name: a}\nspec: {" + spec + "}\n"))
		return err
	}
	for _, tc := range []struct {
		read func(string) error
		text string
		want string // "" for none
	}{
		{schedule, "ttl: 0", zero},
		{schedule, "ttl: 0.0", zero},
		{schedule, "ttl: '0'", zero},
		{schedule, "ttl: 720", "spec.template.ttl: 720 has no unit; " + unit},
		{schedule, "ttl: true", "spec.template.ttl: true is no duration; " + unit},
		{schedule, "ttl: ''", "spec.template.ttl: is empty; " + unit},
		{schedule, "ttl: 30d", "spec.template.ttl: "},
		{schedule, "csiSnapshotTimeout: 10", "spec.template.csiSnapshotTimeout: 10 has no unit"},
		{schedule, "hooks: {resources: [{name: a, pre: [{exec: {command: [a], timeout: 5}}]}]}", "spec.template.hooks.resources[0].pre[0].exec.timeout: 5 has no unit"},
		{schedule, "ttl: null", ""},
		{schedule, "ttl: null, itemOperationTimeout: null, hooks: {resources: [{name: a, pre: [{exec: {command: [a], timeout: null}}]}]}", ""},
		{schedule, "ttl: null, includeNamespaces: [a]", "spec.template.includeNamespaces: unknown field"},
		{backup, "ttl: 0", "spec.ttl: 0 would be the worker's default"},
		{backup, "ttl: 0h", "spec.ttl: 0 would be the worker's default"},
		{backup, "ttl: 0s", ""},
		{backup, "ttl: null", ""},
		{backup, "ttl: 24", "spec.ttl: 24 has no unit"},
	} {
		err := tc.read(tc.text)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "json: ")) {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
}
