package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

func drillResult(verdict string) contract.DrillResult {
	return contract.DrillResult{
		Name: "shop", Backup: "nightly", Level: "L4", Verdict: verdict, Failures: []string{"RTO_EXCEEDED: it took 50s, 20s is wanted"},
		RTO: 50 * time.Second, Ready: 40 * time.Second, RPO: time.Hour, Sequence: 7, Key: "plugins/lifeboat/drills/prod/00000007.json", Location: "default", Warnings: []string{"notification chat: no answer within 30s"},
	}
}

// A drill is described by a file and by flags, which win; the result tells level, verdict, times
// and where the evidence is, and the exit code whether it passed.
func TestDrillRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drill.yaml")
	text := "apiVersion: lifeboat-backup.github.io/v1\nkind: Drill\nmetadata: {name: shop}\nspec: {source: {schedule: nightly}, includedNamespaces: [shop], targets: {level: L2}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &memory{results: map[string]any{"shop": drillResult("failed")}}
	lifeboat(t, m, "", "drill", "run", "-f", file, "--level", "L3", "--rto", "20s", "--wait").
		want(t, 3, `Drill "shop" failed: backup nightly is proven at level L4`, "RTO_EXCEEDED", "ready after 00:40", "00000007.json", "Warning: notification chat: no answer")
	in, ok := m.started[0].(contract.DrillInput)
	if !ok || in.Name != "shop" || in.Spec.Source.Schedule != "nightly" || in.Spec.Targets.Level != "L3" || in.Spec.Targets.RTO.Duration != 20*time.Second || len(in.Spec.IncludedNamespaces) != 1 {
		t.Errorf("%+v", m.started)
	}
	m.results["shop"] = drillResult("passed")
	lifeboat(t, m, "", "drill", "run", "shop", "--from-backup", "nightly", "-o", "json").want(t, 0, `"verdict": "passed"`)
	lifeboat(t, m, "", "drill", "run", "--random").want(t, 1, "name the drill")
	lifeboat(t, m, "", "drill", "run", "--from-backup", "a.b").want(t, 1, "metadata.name", "lifeboat drill run NAME")
	for flag, want := range map[string]string{"--from-backup": "nightly-1", "--from-schedule": "nightly"} { // called as what it restores
		m.results[want] = drillResult("passed")
		lifeboat(t, m, "", "drill", "run", flag, want, "--wait").want(t, 0)
		if in, ok := m.started[len(m.started)-1].(contract.DrillInput); !ok || in.Name != want {
			t.Errorf("%s: %+v", flag, m.started)
		}
	}
	lifeboat(t, m, "", "drill", "run", "shop", "--from-backup", "nightly", "--level", "L9").want(t, 1, "targets.level")
	if got := lifeboat(t, m, "", "drill", "run", "--from-backup", "nightly", "--level", "L9"); strings.Contains(got.errors, "called as") {
		t.Errorf("the name is not the trouble: %s", got.errors)
	}
	lifeboat(t, m, "", "drill", "run", "--from-backup", "nightly", "-n", "shop", "--include-namespaces", "books", "--allow-open-network", "--wait").want(t, 0)
	if in, ok := m.started[len(m.started)-1].(contract.DrillInput); !ok || len(in.Spec.IncludedNamespaces) != 2 || !in.Spec.Network.AllowOpen {
		t.Errorf("%+v", m.started)
	}
	lifeboat(t, m, "", "drill", "keep", "--for", "2h").want(t, 0, "will be kept for")
	for _, d := range []string{"0", "-1h", "169h"} { // the workflow would keep it for another time than was said
		lifeboat(t, m, "", "drill", "keep", "--for="+d).want(t, 1, "--for is ", "at most 168h")
	}
	lifeboat(t, m, "", "drill", "stop").want(t, 0, "asked to stop")
	m.failures = map[string]error{"stop": temporal.ErrNotFound}
	lifeboat(t, m, "", "drill", "stop").want(t, 4)
}

// TestDrillWait: one waits for the drill that runs, or asks how the last one ended, also one that was ended
// early: its evidence is on stdout as a document, and the cause on stderr.
func TestDrillWait(t *testing.T) {
	m := &memory{results: map[string]any{}, failures: map[string]error{}}
	lifeboat(t, m, "", "drill", "wait").want(t, 4, "drill", "not found")
	m.runs = map[temporal.Kind][]temporal.State{temporal.KindDrill: {{Run: temporal.Run{Kind: temporal.KindDrill}}}}
	for name, tc := range map[string]struct {
		verdict string
		failure error
		code    int
		stderr  string
	}{
		"passed":   {"passed", nil, 0, ""},
		"failed":   {"failed", nil, 3, ""},
		"canceled": {"aborted", &temporal.RunError{Run: temporal.Run{Kind: temporal.KindDrill}, Phase: "Canceled", Message: "by hand"}, 2, "Canceled: by hand"},
		"refused":  {"aborted", &temporal.RunError{Run: temporal.Run{Kind: temporal.KindDrill}, Phase: "Failed", Message: "its tarball is damaged"}, 2, "its tarball is damaged"},
	} {
		m.results[""] = drillResult(tc.verdict)
		if tc.failure != nil {
			res := drillResult(tc.verdict)
			res.ID = "drill-7"
			m.results[""] = res
		}
		m.failures[""] = tc.failure
		var out, errs bytes.Buffer
		a := testApp(m, "", &out, &errs)
		code := a.run(t.Context(), []string{"drill", "wait", "-o", "json"})
		var got contract.DrillResult
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Verdict != tc.verdict || got.Sequence != 7 {
			t.Errorf("%s: %v: %s", name, err, out.String())
		}
		if code != tc.code || !strings.Contains(errs.String(), tc.stderr) {
			t.Errorf("%s: exit %d: %s", name, code, errs.String())
		}
		lifeboat(t, m, "", "drill", "wait").want(t, tc.code, "backup nightly is proven at level L4", tc.stderr)
	}
}

// What is wrong in a file is told without asking anybody, also where Temporal is out of reach.
func TestFilesAreReadFirst(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(file, []byte("kind: Nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"drill", "run"},
		{"drill", "schedule", "create"},
		{"drill", "schedule", "apply"},
		{"schedule", "apply"},
		{"backup", "create"},
		{"restore", "create"},
	} {
		var out, errs bytes.Buffer
		a := testApp(&memory{}, "", &out, &errs)
		a.Dial = func(context.Context, string) (console.Backend, error) {
			return nil, errors.New("Temporal is out of reach")
		}
		code := a.run(t.Context(), append(args, "-f", file))
		if text := out.String() + errs.String(); code != 1 || !strings.Contains(text, "broken.yaml: ") || strings.Contains(text, "out of reach") {
			t.Errorf("%q: exit %d: %s", args, code, text)
		}
	}
}
