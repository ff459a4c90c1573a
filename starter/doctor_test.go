package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func checklist(answers ...string) *memory {
	var checks []contract.Check
	for _, answer := range answers {
		c := contract.Check{ID: "a-" + answer, Question: "Is it so?", Answer: answer, Found: "this was found"}
		if answer != contract.AnswerYes {
			c.Remedy = "do that"
		}
		checks = append(checks, c)
	}
	return &memory{reads: map[string]contract.ReadResult{contract.ReadChecklist: {Checklist: checks}}}
}

// TestDoctor: the exit code tells a shell what the answers are.
func TestDoctor(t *testing.T) {
	for name, tc := range map[string]struct {
		backend *memory
		args    []string
		code    int
	}{
		"all is well":         {checklist("yes", "yes"), nil, 0},
		"unknown":             {checklist("yes", "unknown"), nil, 0},
		"unknown and strict":  {checklist("yes", "unknown"), []string{"--strict"}, 3},
		"a no":                {checklist("yes", "unknown", "no"), []string{"--strict"}, 2},
		"an old worker":       {checklist(), nil, 1},
		"a worker that fails": {&memory{}, nil, 4},
	} {
		t.Run(name, func(t *testing.T) {
			got := lifeboat(t, tc.backend, "", append([]string{"doctor"}, tc.args...)...)
			if got.code != tc.code {
				t.Errorf("code %d, want %d\n%s%s", got.code, tc.code, got.out, got.errors)
			}
		})
	}
	got := lifeboat(t, checklist("yes", "no"), "", "doctor")
	for _, want := range []string{"Is it so?", "this was found", "1 yes, 1 no, 0 unknown.", "no: do that"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is not in\n%s", want, got.out)
		}
	}
	got = lifeboat(t, checklist("yes", "no"), "", "doctor", "-o", "json")
	var list struct {
		Cluster string
		Checks  []contract.Check
		No      int
	}
	if err := json.Unmarshal([]byte(got.out), &list); err != nil || got.code != 2 || list.Cluster != "prod" || list.No != 1 || len(list.Checks) != 2 {
		t.Errorf("code %d, %v: %s", got.code, err, got.out)
	}
}

func TestRestoreEstimate(t *testing.T) {
	e := &contract.RestoreEstimate{Backup: "nightly", Objects: 1200, Volumes: 2, Bytes: 3 << 30, Expected: 95 * time.Second, Low: 45 * time.Second, High: 4 * time.Hour, Runs: 7}
	be := &memory{reads: map[string]contract.ReadResult{contract.ReadEstimate + "/nightly": {Estimate: e}}}
	got := lifeboat(t, be, "", "restore", "estimate", "nightly")
	const want = `Backup "nightly": 1,200 objects, 2 volumes of 3.0 GiB.
A restore takes about 1m40s; nine times of ten between 45s and 4.0h.
It rests on 7 runs of the past.
`
	if got.code != 0 || got.out != want {
		t.Errorf("code %d\n%s\nwant\n%s", got.code, got.out+got.errors, want)
	}
	e.Runs = 0
	if got := lifeboat(t, be, "", "restore", "estimate", "nightly"); !strings.Contains(got.out, "lifeboat restore create --from-backup nightly") {
		t.Errorf("without a history:\n%s", got.out)
	}
	if got := lifeboat(t, be, "", "restore", "estimate", "gone"); got.code != 4 {
		t.Errorf("no such backup: code %d, %s", got.code, got.errors)
	}
	if got := lifeboat(t, be, "", "restore", "estimate", "nightly", "-o", "json"); !strings.Contains(got.out, `"low": 45000000000`) {
		t.Errorf("as JSON:\n%s", got.out)
	}
}
