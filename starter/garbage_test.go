package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func garbageOf(plan contract.GarbagePlan) *memory {
	return &memory{results: map[string]any{"": contract.GarbageResult{Plan: plan}}}
}

func TestGarbagePlan(t *testing.T) {
	first, last := noon().Add(-48*time.Hour), noon().Add(-2*time.Hour)
	m := garbageOf(contract.GarbagePlan{
		Delete: []contract.GarbageRow{{Name: "old", Location: "default", Expired: noon().Add(-72 * time.Hour)}},
		Keep: []contract.GarbageRow{{
			Name: "nightly-1", Location: "west", Schedule: "nightly", Expired: noon().Add(-time.Hour), Reason: "held: audit",
			Tries: 3, FirstTry: &first, LastTry: &last,
		}},
	})
	lifeboat(t, m, "", "gc", "plan").want(t, codeDone, `NAME        STORAGE LOCATION   SCHEDULE   EXPIRED   FATE               TRIES
old         default            <none>     3d ago    would be deleted
nightly-1   west               nightly    1h ago    held: audit        3, first 2d ago, last 2h ago
Next: lifeboat gc run`)
	if !reflect.DeepEqual(m.started, []any{contract.CollectGarbageInput{DryRun: true}}) {
		t.Errorf("started %+v", m.started)
	}
	lifeboat(t, garbageOf(contract.GarbagePlan{}), "", "gc", "plan").want(t, codeDone, "No backup has expired.")
}

func TestRetentionCommands(t *testing.T) {
	held, released, expires := "audit", "", noon().Add(48*time.Hour)
	for name, c := range map[string]struct {
		args   []string
		result contract.RetentionResult
		want   string
		asked  contract.SetRetentionInput
	}{
		"hold": {
			[]string{"backup", "hold", "b", "--reason", "audit"},
			contract.RetentionResult{Name: "b", Hold: "audit", Expires: expires},
			`Backup "b" expires at 2026-01-04T12:00:00Z; it is held: audit.`,
			contract.SetRetentionInput{Name: "b", Hold: &held},
		},
		"release": {
			[]string{"backup", "release", "b", "--storage-location", "west"},
			contract.RetentionResult{Name: "b"},
			`Backup "b" never expires.`,
			contract.SetRetentionInput{Name: "b", Location: "west", Hold: &released},
		},
		"after a duration": {
			[]string{"backup", "set-expiry", "b", "48h"},
			contract.RetentionResult{Name: "b", Expires: expires},
			`Backup "b" expires at 2026-01-04T12:00:00Z.`,
			contract.SetRetentionInput{Name: "b", Expires: &expires},
		},
		"at a time": {
			[]string{"backup", "set-expiry", "b", "2026-01-04T12:00:00Z"},
			contract.RetentionResult{Name: "b", Expires: expires},
			`Backup "b" expires at 2026-01-04T12:00:00Z.`,
			contract.SetRetentionInput{Name: "b", Expires: &expires},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &memory{results: map[string]any{"b": c.result}}
			lifeboat(t, m, "", c.args...).want(t, codeDone, c.want)
			if len(m.started) != 1 || !reflect.DeepEqual(m.started[0], c.asked) {
				t.Errorf("asked for %+v", m.started)
			}
		})
	}
	lifeboat(t, &memory{}, "", "backup", "hold", "b").want(t, codeError, "--reason: say why")
	lifeboat(t, &memory{}, "", "backup", "set-expiry", "b", "tomorrow").want(t, codeError, `"tomorrow" is neither a duration such as 720h nor a time`)
}
