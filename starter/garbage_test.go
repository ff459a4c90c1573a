package main

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
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
	lifeboat(t, m, "", "gc", "plan").want(t, console.CodeDone, `NAME        STORAGE LOCATION   SCHEDULE   EXPIRED   FATE               TRIES
old         default            <none>     3d ago    would be deleted
nightly-1   west               nightly    1h ago    held: audit        3, first 2d ago, last 2h ago
Next: lifeboat gc run`)
	if !reflect.DeepEqual(m.started, []any{contract.CollectGarbageInput{DryRun: true}}) {
		t.Errorf("started %+v", m.started)
	}
	lifeboat(t, garbageOf(contract.GarbagePlan{}), "", "gc", "plan").want(t, console.CodeDone, "No backup has expired.")
}

func TestGarbageOrphans(t *testing.T) {
	m := &memory{results: map[string]any{"": contract.GarbageResult{Removed: 2, Gone: []contract.Orphan{
		{Kind: contract.OrphanSnapshot, ID: "snap-0", Backup: "older", Cluster: "prod", Since: noon().Add(-96 * time.Hour)},
		{Kind: contract.OrphanContent, ID: "c", Restore: "again", Cluster: "prod", Since: noon().Add(-72 * time.Hour)},
		{Kind: contract.OrphanDrill, ID: "run-1", Workflow: "drill:prod", Cluster: "prod", Since: noon().Add(-48 * time.Hour)},
	}, Orphans: contract.OrphanPlan{
		Remove: []contract.Orphan{{Kind: contract.OrphanSnapshot, ID: "snap-1", Backup: "lost", Cluster: "prod", Since: noon().Add(-72 * time.Hour)}},
		Keep: []contract.Orphan{
			{Kind: contract.OrphanRun, ID: "u", UID: "u", Since: noon().Add(-time.Hour), Reason: "it is not known which cluster began it"},
			{Kind: contract.OrphanLocation, ID: "west", Cluster: "prod", Reason: "retained: location west unknown"},
		},
		Unread: []string{"storage location west: no such bucket"},
	}}}}
	lifeboat(t, m, "", "gc", "plan").want(t, console.CodeDone, `ORPHAN     ID       OF            CLUSTER     AGE      FATE
snapshot   snap-1   backup lost   prod        3d ago   would be removed
run        u        uid u         <unknown>   1h ago   it is not known which cluster began it
location   west     <none>        prod        n/a      retained: location west unknown
Next: lifeboat gc run`)
	lifeboat(t, m, "", "gc", "plan", "-o", "json").want(t, console.CodeDone, `"id": "snap-1"`)
	lifeboat(t, m, "", "gc", "run").want(t, console.CodePartiallyFailed, "2 orphans removed; 2 left, see 'lifeboat gc plan'.", `
ORPHAN     ID       OF                    CLUSTER   AGE      FATE
snapshot   snap-0   backup older          prod      4d ago   removed
content    c        restore again         prod      3d ago   removed
drill      run-1    workflow drill:prod   prod      2d ago   removed
`)
}

// A cluster that has no worker any more is asked for through that of another.
func TestGarbageOfAGoneCluster(t *testing.T) {
	m := garbageOf(contract.GarbagePlan{})
	m.clusters = []string{"dev"}
	lifeboat(t, m, "", "gc", "plan", "--cluster", "prod").want(t, console.CodeDone, "No backup has expired.")
	if len(m.started) != 1 || m.started[0].(contract.CollectGarbageInput).Cluster != "" {
		t.Errorf("without any worker: started %+v", m.started)
	}
	other := garbageOf(contract.GarbagePlan{})
	other.pollers = []temporal.Poller{{}}
	var out, errs bytes.Buffer
	a := testApp(m, "", &out, &errs)
	a.Dial = func(_ context.Context, cluster string) (console.Backend, error) {
		if cluster == "dev" {
			return other, nil
		}
		return m, nil
	}
	code := a.run(t.Context(), []string{"gc", "plan", "--cluster", "prod"})
	result{code, out.String(), errs.String()}.want(t, console.CodeDone, "cluster prod has no worker that answers: the worker of cluster dev is asked")
	if !reflect.DeepEqual(other.started, []any{contract.CollectGarbageInput{DryRun: true, Cluster: "prod"}}) {
		t.Errorf("started %+v", other.started)
	}
}

// What is to be said next is said of the cluster that was asked for.
func TestGarbageNext(t *testing.T) {
	for name, plan := range map[string]contract.GarbageResult{
		"backups": {Plan: contract.GarbagePlan{Delete: []contract.GarbageRow{{Name: "old"}}}},
		"orphans": {Orphans: contract.OrphanPlan{Remove: []contract.Orphan{{Kind: contract.OrphanSnapshot, ID: "snap-1"}}}},
	} {
		m := &memory{results: map[string]any{"": plan}, pollers: []temporal.Poller{{}}}
		lifeboat(t, m, "", "gc", "plan", "--cluster", "other").want(t, console.CodeDone, "Next: lifeboat gc run --cluster other")
		if got := lifeboat(t, m, "", "gc", "plan"); !strings.Contains(got.out, "Next: lifeboat gc run") || strings.Contains(got.out, "--cluster") {
			t.Errorf("%s: %s", name, got.out)
		}
	}
	held := &memory{results: map[string]any{"": contract.GarbageResult{Plan: contract.GarbagePlan{Delete: []contract.GarbageRow{{Name: "old"}}}}}}
	lifeboat(t, held, "", "gc", "plan", "--cluster", "other").want(t, console.CodeDone, "lifeboat backup hold NAME --reason TEXT --cluster other for one")
	ran := &memory{results: map[string]any{"": contract.GarbageResult{Orphans: contract.OrphanPlan{Keep: []contract.Orphan{{}}}}}}
	lifeboat(t, ran, "", "gc", "run", "--cluster", "other").want(t, console.CodeDone, "see 'lifeboat gc plan --cluster other'")
}

// TestGarbageOfASilentCluster: a worker that was killed is listed for a while. Nothing is begun that
// it would have to do: another one is asked, and where none answers the command ends.
func TestGarbageOfASilentCluster(t *testing.T) {
	m, other := garbageOf(contract.GarbagePlan{}), garbageOf(contract.GarbagePlan{})
	m.clusters, m.pollers, m.silent = []string{"dev", "prod"}, []temporal.Poller{{Name: "7@gone"}}, true
	for name, tc := range map[string]struct {
		pollers []temporal.Poller
		code    int
		phrase  string
	}{
		"another answers":    {[]temporal.Poller{{}}, console.CodeDone, "cluster prod has no worker that answers: the worker of cluster dev is asked"},
		"the other has none": {nil, console.CodeError, temporal.ErrLost.Error()},
	} {
		other.pollers, other.started = tc.pollers, nil
		for _, args := range [][]string{{"gc", "plan"}, {"gc", "run"}} {
			var out, errs bytes.Buffer
			a := testApp(m, "", &out, &errs)
			a.Dial = func(_ context.Context, cluster string) (console.Backend, error) {
				if cluster == "dev" {
					return other, nil
				}
				return m, nil
			}
			code := a.run(t.Context(), append(args, "--cluster", "prod"))
			if code != tc.code || !strings.Contains(errs.String(), tc.phrase) || len(m.started) > 0 {
				t.Errorf("%s, %v: code %d, %s; started %+v", name, args, code, errs.String(), m.started)
			}
		}
	}
}

func TestSnapshotsExplain(t *testing.T) {
	until := noon().Add(48 * time.Hour)
	m := &memory{reads: map[string]contract.ReadResult{contract.ReadSnapshots: {Snapshots: []contract.SnapshotSummary{
		{ID: "snap-1", Backup: "nightly", Cluster: "prod", Bucket: "s3://b/p", Volume: "shop/db", SizeGiB: 8, Started: noon().Add(-24 * time.Hour), Kept: "its backup has not expired", Until: &until},
		{ID: "snap-2", Kept: "no backup's", Started: noon().Add(-time.Hour)},
	}}}}
	lifeboat(t, m, "", "snapshots", "explain").want(t, console.CodeDone, `ID       BACKUP    CLUSTER     BUCKET      VOLUME      GIB   AGE      KEPT BECAUSE                 UNTIL
snap-1   nightly   prod        s3://b/p    shop/db     8     1d ago   its backup has not expired   2d
snap-2   <none>    <unknown>   <unknown>   <unknown>   0     1h ago   no backup's                  <unknown>`)
	lifeboat(t, m, "", "snapshots", "explain", "-o", "name").want(t, console.CodeDone, "snap-1\nsnap-2")
	if m.asked[0].Verb != contract.ReadSnapshots {
		t.Errorf("asked %+v", m.asked)
	}
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
			lifeboat(t, m, "", c.args...).want(t, console.CodeDone, c.want)
			if len(m.started) != 1 || !reflect.DeepEqual(m.started[0], c.asked) {
				t.Errorf("asked for %+v", m.started)
			}
		})
	}
	lifeboat(t, &memory{}, "", "backup", "hold", "b").want(t, console.CodeError, "--reason: say why")
	lifeboat(t, &memory{}, "", "backup", "set-expiry", "b", "tomorrow").want(t, console.CodeError, `"tomorrow" is neither a duration such as 720h nor a time`)
	for _, args := range [][]string{{"-72h30m"}, {"--", "-72h30m"}} {
		lifeboat(t, &memory{}, "", append([]string{"backup", "set-expiry", "b"}, args...)...).want(t, console.CodeError, "TIME: -72h30m0s from now has passed: 0s lets the backup expire at once")
	}
	lifeboat(t, &memory{}, "", "backup", "set-expiry", "b").want(t, console.CodeError, "got 1 arguments: say which backup and when it expires")
	lifeboat(t, &memory{}, "", "backup", "set-expiry", "b", "-x").want(t, console.CodeError, "unknown shorthand flag", "see 'lifeboat backup set-expiry --help'")
}

// What the command line can tell by itself is told without asking anybody.
func TestRetentionIsCheckedFirst(t *testing.T) {
	for _, args := range [][]string{{"hold", "b"}, {"set-expiry", "b", "tomorrow"}, {"set-expiry", "b", "--", "-1h"}} {
		var out, errs bytes.Buffer
		a := testApp(&memory{}, "", &out, &errs)
		a.Dial = func(context.Context, string) (console.Backend, error) { return nil, errors.New("out of reach") }
		if code := a.run(t.Context(), append([]string{"backup"}, args...)); code != console.CodeError || strings.Contains(errs.String(), "out of reach") {
			t.Errorf("%q: exit %d: %s", args, code, errs.String())
		}
	}
}

// What only a ReadOnly location keeps is hidden, unless it is asked for or named.
func TestExpiredBackupsAreHidden(t *testing.T) {
	m := &memory{backups: []contract.BackupSummary{{Name: "old", Phase: "Completed", Expired: true, Cluster: "dev"}, {Name: "new", Phase: "Completed"}}}
	got := lifeboat(t, m, "", "backup", "get")
	if got.want(t, console.CodeDone, "new", "1 expired backup of ReadOnly locations left out: --show-expired shows them"); strings.Contains(got.out, "old") {
		t.Error(got.out)
	}
	lifeboat(t, m, "", "backup", "get", "--show-expired").want(t, console.CodeDone, "Completed (expired)")
	lifeboat(t, m, "", "backup", "get", "old").want(t, console.CodeDone, "Completed (expired)")
	all := lifeboat(t, m, "", "backup", "get", "--all-clusters", "--show-expired")
	if all.want(t, console.CodeDone, "CLUSTER", "cluster dev has no worker, which would delete what of its 1 backup expires; see 'lifeboat gc plan --cluster dev'"); !strings.Contains(all.out, "dev") {
		t.Error(all.out)
	}
	m.pollers = []temporal.Poller{{}}
	if all := lifeboat(t, m, "", "backup", "get", "--all-clusters", "--show-expired"); strings.Contains(all.errors, "no worker") {
		t.Error(all.errors)
	}
}

// TestHeldBackupsAreMarked in the list and in what is told of one.
func TestHeldBackupsAreMarked(t *testing.T) {
	m, until := stock(), noon().Add(48*time.Hour)
	m.backups[0].Held, m.backups[0].Expires = "audit", &until
	lifeboat(t, m, "", "backup", "get").want(t, console.CodeDone, "2d (held)")
	doc := backupDoc("nightly", "Completed")
	m.reads[contract.ReadBackup+"/nightly"] = contract.ReadResult{Backup: &doc, Details: &contract.Details{Held: "audit", ExpiresSet: &until}}
	lifeboat(t, m, "", "backup", "describe", "nightly").want(t, console.CodeDone, "Held:", "audit", "2026-01-04 12:00:00 +0000 UTC, as it was set since")
	m.reads[contract.ReadBackup+"/nightly"] = contract.ReadResult{Backup: &doc, Details: &contract.Details{ExpiresLater: &until}}
	lifeboat(t, m, "", "backup", "describe", "nightly").want(t, console.CodeDone, "2026-01-04 12:00:00 +0000 UTC, an hour after it was completed")
}
