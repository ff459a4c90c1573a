package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

func drillRows() []contract.DrillSummary {
	asked := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	return []contract.DrillSummary{
		{Number: 3, Name: "shop", Backup: "nightly-3", Location: "default", Asked: asked, Level: "L4", Verdict: "failed", RTO: 90_000, RPO: 3_600_000, ObjectiveRTO: 60_000, Failures: []string{"RTO_EXCEEDED"}},
		{Number: 2, Location: "default", Damage: "plugins/lifeboat/drills/prod/00000002.json: not evidence"},
		{Number: 1, Name: "books", Backup: "nightly-1", Location: "default", Asked: asked.AddDate(0, 0, -1), Level: "L5", Verdict: "passed", RTO: 45_000, RPO: 1_800_000},
	}
}

// Drills are listed by their evidence, the newest first, and chosen by name and by number.
func TestDrillGet(t *testing.T) {
	m := &memory{reads: map[string]contract.ReadResult{contract.ReadDrills: {Drills: drillRows(), Unread: []contract.UnreadLocation{{Name: "west", Message: "no answer"}}}}}
	got := lifeboat(t, m, "", "drill", "get", "--limit", "7")
	got.want(t, 0, "DRILL", "nightly-3", "failed", "01:30", "1:00:00", "unreadable", "passed", "west")
	if lines := strings.Count(got.out, "\n"); lines != 4 || m.asked[0].Limit != 7 {
		t.Errorf("%d lines, %+v", lines, m.asked)
	}
	if got := lifeboat(t, m, "", "drill", "get", "books"); strings.Contains(got.out, "nightly-3") || !strings.Contains(got.out, "nightly-1") {
		t.Error(got.out)
	}
	var list struct{ Items []contract.DrillSummary }
	if err := json.Unmarshal([]byte(lifeboat(t, m, "", "drill", "get", "3", "-o", "json").out), &list); err != nil || len(list.Items) != 1 || list.Items[0].RTO != 90_000 {
		t.Errorf("%+v, %v", list, err)
	}
	lifeboat(t, m, "", "drill", "get", "-o", "yaml").want(t, 0, "rtoMs: 90000")
	lifeboat(t, m, "", "drill", "get", "none").want(t, 4, `drill ["none"]: not found`, "lifeboat drill get")
	lifeboat(t, m, "", "drill", "get", "--limit", "0").want(t, 1, "--limit")
	lifeboat(t, m, "", "drill", "get", "--limit", "401").want(t, 1, "--limit", "400")
	lifeboat(t, m, "", "drill", "run", "books", "--from-backup", "b", "--keep-for", "-1h").want(t, 1, "keep")
	lifeboat(t, &memory{reads: map[string]contract.ReadResult{contract.ReadDrills: {}}}, "", "drill", "get").want(t, 0, "lifeboat drill run")
	lifeboat(t, m, "", "__complete", "drill", "describe", "").want(t, 0, "shop\nbooks\n")
}

// The trend goes from the oldest to the newest and says what was above its objective.
func TestDrillHistory(t *testing.T) {
	m := &memory{reads: map[string]contract.ReadResult{contract.ReadDrills: {Drills: drillRows()}}}
	got := lifeboat(t, m, "", "drill", "history")
	got.want(t, 0, "RTO, from asked to proven", "2026-02-28", "above its objective of 01:00", "cannot be read", strings.Repeat("#", 30)+" 01:30", strings.Repeat("#", 15)+" ")
	if strings.Index(got.out, "drill 1 ") > strings.Index(got.out, "drill 3 ") || strings.Contains(got.out, strings.Repeat("#", 31)) {
		t.Error(got.out)
	}
	lifeboat(t, m, "", "drill", "history", "books", "-o", "json").want(t, 0, `"rtoMs": 45000`)
}

// One drill is told with what to do about what speaks against it, and where its evidence is.
func TestDrillDescribe(t *testing.T) {
	d := &contract.DrillDetails{
		DrillSummary: drillRows()[0], Objective: "L5", Key: "plugins/lifeboat/drills/prod/00000003.json", Workflow: "drill:prod", Run: "run-3",
		Against:        []contract.DrillFailure{{Failure: evidence.Failure{Code: evidence.RTOExceeded, Detail: "it took 90s"}, Next: evidence.RTOExceeded.Remedy()}},
		Levels:         []evidence.LevelResult{{Level: "L4", Outcome: "failed", Checked: 2, Good: 1, Detail: "deployment web"}},
		Phases:         []evidence.Phase{{Name: "read", Started: "2026-03-01T02:00:00.000Z", Finished: "2026-03-01T02:00:20.000Z"}},
		Assertions:     []evidence.Assertion{{Name: "orders", Outcome: "failed", Recorded: "2", Found: "\x1b[31m1"}},
		MoreAssertions: 4, Teardown: evidence.Teardown{Outcome: "incomplete", Left: []evidence.Leftover{{Type: "namespaces", Name: "restore-test-shop", Detail: "finalizer x"}}},
	}
	m := &memory{reads: map[string]contract.ReadResult{contract.ReadDrill + "/shop": {Drill: d}, contract.ReadDrill + "/old": {}}}
	got := lifeboat(t, m, "", "drill", "describe", "shop")
	got.want(t, 0, "failed: L4 is proven, L5 is wanted", "[RTO_EXCEEDED] it took 90s", evidence.RTOExceeded.Remedy(), "L4 failed, 1 of 2: deployment web", "read        00:20",
		"orders: failed", "and 4 more", "restore-test-shop: finalizer x", "00000003.json in storage location default", "drill report FILE --html")
	if strings.Contains(got.out, "\x1b") {
		t.Error("a control character of the bucket reaches the terminal")
	}
	lifeboat(t, m, "", "drill", "describe", "shop", "-o", "json").want(t, 0, `"number": 3`, `"next": `)
	lifeboat(t, m, "", "drill", "describe", "old").want(t, 1, "older than this program")
	lifeboat(t, m, "", "drill", "describe").want(t, 1)
}
