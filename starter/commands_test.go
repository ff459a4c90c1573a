package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

func stock() *memory {
	expires, proven := noon().Add(29*24*time.Hour), noon().Add(-2*time.Hour)
	doc, restore := backupDoc("nightly", "Completed"), velerov1.Restore{}
	restore.Name, restore.Status.Phase = "back", "PartiallyFailed"
	return &memory{
		backups: []contract.BackupSummary{
			{Name: "daily-20260101000000", Phase: "Completed", Created: noon(), Labels: map[string]string{"s": "daily"}},
			{Name: "daily-20260102000000", Phase: "Completed", Created: noon(), Labels: map[string]string{"s": "daily"}},
			{Name: "nightly", Phase: "PartiallyFailed", Errors: 2, Warnings: 1, Created: noon(), Expires: &expires, Location: "west", Selector: "a=b", Level: "L2", Proven: &proven},
		},
		restores: []contract.RestoreSummary{{Name: "back", Backup: "nightly", Phase: "PartiallyFailed", Errors: 1}},
		runs: map[temporal.Kind][]temporal.State{
			temporal.KindBackup:  {runState(temporal.KindBackup, "busy", "InProgress", true), runState(temporal.KindBackup, "broken", "Failed", false), runState(temporal.KindBackup, "removed", "Completed", false)},
			temporal.KindRestore: {runState(temporal.KindRestore, "rbusy", "InProgress", true), runState(temporal.KindRestore, "rbroken", "FailedValidation", false)},
			temporal.KindDelete:  {runState(temporal.KindDelete, "nightly", "Deleting", true)},
		},
		reads: map[string]contract.ReadResult{
			contract.ReadBackup + "/nightly": {Backup: &doc, Details: &contract.Details{UID: "u1", Bytes: 2 << 20, Conditional: true}},
			contract.ReadRestore + "/back":   {Restore: &restore, Results: []byte(`{"errors":{"namespaces":{"shop":["[X] pods shop/a: no"]}},"warnings":{}}`)},
		},
		samples:  []temporal.Sample{{Progress: contract.Progress{Phase: "InProgress", Step: "exporting", Objects: 5, TotalObjects: 10}}},
		failures: map[string]error{"broken": &temporal.RunError{Run: temporal.Run{Kind: temporal.KindBackup, Name: "broken"}, Phase: "Failed", Message: "the store is gone"}},
	}
}

func TestBackupGet(t *testing.T) {
	got := lifeboat(t, stock(), "", "backup", "get")
	got.want(t, console.CodeDone)
	want := `NAME                   STATUS       ERRORS   WARNINGS   CREATED                         EXPIRES   STORAGE LOCATION   SELECTOR   VERIFIED   PROVEN
broken                 Failed       1        0          2026-01-02 11:59:00 +0000 UTC   n/a       default            <none>     never      never
busy                   InProgress   0        0          2026-01-02 11:59:00 +0000 UTC   n/a       default            <none>     never      never
daily-20260102000000   Completed    0        0          2026-01-02 12:00:00 +0000 UTC   n/a       default            <none>     never      never
daily-20260101000000   Completed    0        0          2026-01-02 12:00:00 +0000 UTC   n/a       default            <none>     never      never
nightly                Deleting     2        1          2026-01-02 12:00:00 +0000 UTC   29d       west               a=b        never      L2, 2h ago
`
	if got.out != want {
		t.Errorf("got\n%s\nwant\n%s", got.out, want)
	}
	if lines := strings.Fields(lifeboat(t, stock(), "", "get", "backups", "-l", "s=daily", "-o", "name").out); len(lines) != 2 || lines[0] != "daily-20260102000000" {
		t.Errorf("%v", lines)
	}
	lifeboat(t, stock(), "", "backup", "get", "nightly", "-o", "yaml").want(t, console.CodeDone, "kind: Backup\n", "phase: Completed")
	lifeboat(t, stock(), "", "backup", "get", "-o", "json").want(t, console.CodeDone, `"kind": "BackupList"`, `"phase": "Deleting"`, `"expiration": "2026-01-31T12:00:00Z"`)
	lifeboat(t, stock(), "", "backup", "get", "nope").want(t, console.CodeNotFound, `error: backup "nope": not found; see 'lifeboat backup get'`)
	lifeboat(t, stock(), "", "backup", "get", "nope", "-o", "json").want(t, console.CodeNotFound)
	lifeboat(t, &memory{}, "", "backup", "get").want(t, console.CodeDone, "No backups found. Take one with: lifeboat backup create NAME")
	lifeboat(t, stock(), "", "backup", "get", "-o", "xml").want(t, console.CodeError, `"xml" is not one of table, json, yaml, name`)
	lifeboat(t, stock(), "", "backup", "get", "-l", "a in").want(t, console.CodeError, "--selector")
	lifeboat(t, stock(), "", "backup", "get", "-l", "s=daily", "--show-labels").want(t, console.CodeDone, "LABELS", "s=daily")
}

func TestRestoreGet(t *testing.T) {
	lifeboat(t, stock(), "", "restore", "get").want(t, console.CodeDone, "NAME", "BACKUP", "back", "rbusy", "rbroken   <none>    FailedValidation")
	lifeboat(t, stock(), "", "restore", "get", "back", "-o", "json").want(t, console.CodeDone, `"phase": "PartiallyFailed"`)
	lifeboat(t, stock(), "", "get", "restore", "-o", "yaml").want(t, console.CodeDone, "kind: RestoreList", "backupName: nightly")
	lifeboat(t, &memory{}, "", "restore", "get").want(t, console.CodeDone, "No restores found")
}

func TestDescribe(t *testing.T) {
	lifeboat(t, stock(), "", "backup", "describe", "nightly").want(t, console.CodeDone, "Phase:", "Completed", "Size:", "2.0 MiB", "Written only once:")
	lifeboat(t, stock(), "", "describe", "backup", "nightly", "-o", "json").want(t, console.CodeDone, `"lifeboat": {`, `"kind": "Backup"`, `"uid": "u1"`)
	lifeboat(t, stock(), "", "backup", "describe", "busy").want(t, console.CodeDone, "Progress:", "[01:00]  InProgress  5/10 objects (50%)  exporting")
	lifeboat(t, stock(), "", "backup", "describe", "broken").want(t, console.CodeDone, "Failure reason:", "the store is gone")
	lifeboat(t, stock(), "", "backup", "describe", "removed").want(t, console.CodeNotFound)
	lifeboat(t, stock(), "", "backup", "describe", "nope").want(t, console.CodeNotFound)
	lifeboat(t, stock(), "", "backup", "describe").want(t, console.CodeError, "takes the name of one backup, got 0 arguments")
	lifeboat(t, stock(), "", "restore", "describe", "back").want(t, console.CodeDone, "Namespace shop:", "[X] pods shop/a: no")
	lifeboat(t, stock(), "", "restore", "describe", "rbusy", "-o", "yaml").want(t, console.CodeDone, "phase: InProgress", "workflowID: id:rbusy")
}

func TestWaitVerb(t *testing.T) {
	m := stock()
	m.results = map[string]any{"busy": contract.BackupResult{Name: "busy", Phase: "Completed"}}
	lifeboat(t, m, "", "backup", "wait", "busy").want(t, console.CodeDone, `Backup "busy" Completed`, "5/10 objects")
	lifeboat(t, m, "", "backup", "wait", "broken").want(t, console.CodeFailed, "the store is gone")
	lifeboat(t, m, "", "backup", "wait", "nightly").want(t, console.CodeDone, `Backup "nightly" ended earlier: Completed.`)
	lifeboat(t, m, "", "restore", "wait", "back").want(t, console.CodePartiallyFailed, `Restore "back" ended earlier: PartiallyFailed.`)
	lifeboat(t, m, "", "restore", "wait", "nope").want(t, console.CodeNotFound)
}

func TestInterrupted(t *testing.T) {
	for _, args := range []string{"backup wait busy", "backup create x --wait", "backup create x", "restore create r --from-backup b -w", "backup delete x --confirm"} {
		t.Run(args, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, interrupt)
			m := stock()
			var out, errs bytes.Buffer
			a := testApp(m, "", &out, &errs)
			a.Patience = time.Minute
			code := a.run(ctx, strings.Fields(args))
			result{code, out.String(), errs.String()}.want(t, console.CodeInterrupted, "stopped waiting; the ", "goes on.")
			if len(m.canceled) > 0 {
				t.Error("the run was cancelled")
			}
		})
	}
}

// TestInterruptedAnswer: whatever a connection says of a call that Ctrl-C has ended, the command was
// interrupted, and nobody is told to look after the worker. What was settled before stays the answer.
func TestInterruptedAnswer(t *testing.T) {
	lost := status.Error(codes.Canceled, "context canceled")
	for args, want := range map[string]int{
		"object history secrets/shop/db":     console.CodeInterrupted,
		"backup diff nightly x":              console.CodeInterrupted,
		"location check":                     console.CodeInterrupted,
		"backup hold nightly --reason audit": console.CodeInterrupted,
		"backup describe nope":               console.CodeNotFound,
	} {
		t.Run(args, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			m := stock()
			var out, errs bytes.Buffer
			a := testApp(m, "", &out, &errs)
			a.Dial = func(context.Context, string) (console.Backend, error) {
				interrupt()
				if want == console.CodeNotFound {
					return m, nil
				}
				return nil, fmt.Errorf("temporal at x: %w; set TEMPORAL_ADDRESS", lost)
			}
			code := a.run(ctx, strings.Fields(args))
			result{code, out.String(), errs.String()}.want(t, want)
			if want == console.CodeInterrupted && errs.Len() > 0 {
				t.Errorf("stderr: %s", errs.String())
			}
		})
	}
}

// TestInterruptedAdvice: what goes on is told with commands that there are, whatever it is.
func TestInterruptedAdvice(t *testing.T) {
	for args, want := range map[string][]string{
		"backup set-expiry nightly 720h":           {`the retention of "nightly" goes on`, "look at it: lifeboat backup describe nightly"},
		"backup hold nightly --reason audit":       {"look at it: lifeboat backup describe nightly"},
		"schedule create a --schedule @daily":      {"the change of schedules goes on", "look at it: lifeboat schedule get"},
		"drill schedule --quarterly --namespace a": {"the change of schedules goes on", "of drills: lifeboat drill schedule get"},
		"gc run":                     {"the garbage collection goes on", "look at it: lifeboat gc plan"},
		"backup verify --all --wait": {"the verification of backups goes on"},
		"backup create x --wait":     {"follow it: lifeboat backup wait x", "cancel it: lifeboat backup cancel x"},
	} {
		t.Run(args, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, interrupt)
			var out, errs bytes.Buffer
			a := testApp(stock(), "", &out, &errs)
			code := a.run(ctx, strings.Fields(args))
			result{code, out.String(), errs.String()}.want(t, console.CodeInterrupted, want...)
			for l := range strings.Lines(errs.String()) {
				if _, command, advice := strings.Cut(l, ": lifeboat "); advice {
					if c, _, err := a.root().Find(strings.Fields(command)); err != nil || c.HasSubCommands() {
						t.Errorf("there is no command %q", command)
					}
				}
			}
		})
	}
}

func TestCancel(t *testing.T) {
	m := stock()
	lifeboat(t, m, "", "backup", "cancel", "busy").want(t, console.CodeDone, "was asked to stop", "lifeboat backup wait busy")
	lifeboat(t, m, "", "restore", "cancel", "rbusy").want(t, console.CodeDone)
	if len(m.canceled) != 2 {
		t.Errorf("%v", m.canceled)
	}
	lifeboat(t, m, "", "backup", "cancel", "broken").want(t, console.CodeNotFound, `backup "broken" is not running: it is Failed`)
	lifeboat(t, m, "", "backup", "cancel", "nope").want(t, console.CodeNotFound)
}

func TestDelete(t *testing.T) {
	deleted := func() *memory {
		m := stock()
		m.runs[temporal.KindDelete] = nil
		m.results = map[string]any{}
		for _, b := range m.backups {
			m.results[b.Name] = contract.DeleteResult{Name: b.Name, Files: 9, Snapshots: 2}
		}
		m.failures["gone"] = temporal.ErrNotFound
		return m
	}
	for _, tc := range []struct {
		args, stdin string
		code        int
		started     int
		want        string
	}{
		{"nightly --confirm", "", console.CodeDone, 1, `Backup "nightly" deleted: 9 files, 2 snapshots.`},
		{"nightly", "y\n", console.CodeDone, 1, "Delete nightly and everything in them? [y/N]"},
		{"nightly", "n\n", console.CodeError, 0, "not confirmed: nothing was deleted"},
		{"nightly", "", console.CodeError, 0, "pass --confirm"},
		{"--all --confirm", "", console.CodeDone, 3, `"daily-20260101000000" deleted`},
		{"-l s=daily --confirm", "", console.CodeDone, 2, `"daily-20260101000000" deleted`},
		{"-l s=x --confirm", "", console.CodeDone, 0, "No backups found."},
		{"--all --storage-location west --confirm", "", console.CodeDone, 1, `"nightly" deleted`},
		{"nightly --no-wait --confirm", "", console.CodeDone, 1, `Backup "nightly" is being deleted by workflow id:nightly`},
		{"gone nightly --confirm", "", console.CodeNotFound, 2, `Backup "nightly" deleted`},
		{"gone --confirm", "", console.CodeNotFound, 1, "error: not found"},
		{"", "", console.CodeError, 0, "say what to delete in one way"},
		{"nightly --all", "", console.CodeError, 0, "say what to delete in one way"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			m := deleted()
			lifeboat(t, m, tc.stdin, append([]string{"backup", "delete"}, strings.Fields(tc.args)...)...).want(t, tc.code, tc.want)
			if len(m.started) != tc.started {
				t.Errorf("started %v", m.started)
			}
		})
	}
	m := deleted()
	m.results["nightly"] = contract.DeleteResult{Name: "nightly", Files: 9, Snapshots: 1, Retained: []string{"a until 2027", "snapshot b"}}
	lifeboat(t, m, "", "backup", "delete", "nightly", "--confirm").want(t, console.CodePartiallyFailed,
		`Backup "nightly" deleted: 9 files, 1 snapshot.`+"\n  retained: a until 2027\n  retained: snapshot b\n")
	// What a lock keeps is a failure, unless it may stay.
	m.failures["nightly"] = errors.Join(temporal.ErrLocked, &temporal.RunError{Phase: "Failed", Message: "locked until 2030"})
	m.failures["weekly"] = &temporal.RunError{Phase: "Failed", Message: "it is held"}
	lifeboat(t, m, "", "backup", "delete", "nightly", "--confirm").want(t, console.CodeFailed, "locked until 2030")
	lifeboat(t, m, "", "backup", "delete", "nightly", "--confirm", "--ignore-locked").want(t, console.CodeDone, `Backup "nightly" stays: locked until 2030`)
	lifeboat(t, m, "", "backup", "delete", "weekly", "--confirm", "--ignore-locked").want(t, console.CodeFailed, "it is held")
	// A deletion that runs already is joined.
	m = stock()
	m.results = map[string]any{"nightly": contract.DeleteResult{Name: "nightly", Files: 3}}
	lifeboat(t, m, "", "delete", "backup", "nightly", "--confirm").want(t, console.CodeDone, "deleted: 3 files")
}

// Of several clusters that share a bucket, labels and --all choose the backups of the one that is
// meant, and those that name none.
func TestDeleteLeavesOtherClusters(t *testing.T) {
	shared := func() *memory {
		m := &memory{results: map[string]any{}}
		for name, cluster := range map[string]string{"ours": "prod", "veleros": "", "theirs": "other", "theirs-too": "other", "old": "gone"} {
			m.backups = append(m.backups, contract.BackupSummary{Name: name, Cluster: cluster, Labels: map[string]string{"team": "x"}})
			m.results[name] = contract.DeleteResult{Name: name}
		}
		return m
	}
	for _, args := range []string{"--all", "-l team=x"} {
		m := shared()
		lifeboat(t, m, "", append([]string{"backup", "delete", "--confirm"}, strings.Fields(args)...)...).want(t, console.CodeDone, `Backup "ours" deleted`)
		slices.SortFunc(m.started, func(a, b any) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		if want := []any{contract.DeleteBackupInput{Name: "ours"}, contract.DeleteBackupInput{Name: "veleros"}}; !reflect.DeepEqual(m.started, want) {
			t.Errorf("%s: started %+v", args, m.started)
		}
		got := lifeboat(t, shared(), "n\n", append([]string{"backup", "delete"}, strings.Fields(args)...)...)
		got.want(t, console.CodeError, "1 backup of cluster gone left: with --cluster gone it is chosen", "2 backups of cluster other left: with --cluster other they are chosen")
		if strings.Contains(got.out+got.errors, "theirs") {
			t.Errorf("%s: %s%s", args, got.out, got.errors)
		}
	}
	// The worker of another cluster deletes, and releases, what a cluster has left that is gone.
	m, other := shared(), shared()
	m.clusters, other.pollers = []string{"dev"}, []temporal.Poller{{}}
	other.results["held"] = contract.RetentionResult{Name: "held"}
	for _, args := range [][]string{{"delete", "ours", "--confirm"}, {"release", "held"}} {
		var out, errs bytes.Buffer
		a := testApp(m, "", &out, &errs)
		a.Dial = func(_ context.Context, cluster string) (console.Backend, error) {
			if cluster == "dev" {
				return other, nil
			}
			return m, nil
		}
		code := a.run(t.Context(), slices.Concat([]string{"backup"}, args, []string{"--cluster", "prod"}))
		result{code, out.String(), errs.String()}.want(t, console.CodeDone, "cluster prod has no worker that answers: the worker of cluster dev is asked")
	}
	if want := []any{contract.DeleteBackupInput{Name: "ours", Cluster: "prod"}, contract.SetRetentionInput{Name: "held", Cluster: "prod", Hold: new(string)}}; !reflect.DeepEqual(other.started, want) || len(m.started) > 0 {
		t.Errorf("started %+v and %+v", other.started, m.started)
	}
}

// Where a list has backups of several clusters, it says of which each is.
func TestBackupGetOfSeveralClusters(t *testing.T) {
	m := &memory{backups: []contract.BackupSummary{{Name: "a", Cluster: "prod"}, {Name: "b"}}}
	if got := lifeboat(t, m, "", "backup", "get"); strings.Contains(got.out, "CLUSTER") {
		t.Errorf("of one cluster:\n%s", got.out)
	}
	m.backups[1].Cluster = "other"
	lifeboat(t, m, "", "backup", "get").want(t, console.CodeDone, "PROVEN   CLUSTER", "never    prod", "never    other")
	m.backups = m.backups[1:]
	lifeboat(t, m, "", "backup", "get").want(t, console.CodeDone, "never    other")
}

func TestLocation(t *testing.T) {
	good := contract.LocationStatus{
		Name: "default", Provider: "aws", Bucket: "b", Prefix: "p/", AccessMode: "ReadWrite", Default: true, Phase: "Available",
		LastValidated: new(time.Time), Credentials: "file c, profile p",
		Capabilities: []contract.Capability{{Name: "conditional write", OK: false, Detail: "501", Consequence: "two backups of one name may overwrite each other"}},
	}
	*good.LastValidated = noon()
	bad := good
	bad.Name, bad.LastValidated, bad.Phase, bad.Message, bad.Default = "west", nil, "Unavailable", "bucket b does not exist", false
	m := &memory{reads: map[string]contract.ReadResult{
		contract.ReadLocations:                  {Locations: []contract.LocationStatus{good, bad}},
		contract.ReadLocationCheck + "/default": {Locations: []contract.LocationStatus{good}},
		contract.ReadLocationCheck + "/west":    {Locations: []contract.LocationStatus{bad}},
	}}
	lifeboat(t, m, "", "location", "get").want(t, console.CodeDone, "NAME      PROVIDER   BUCKET/PREFIX   PHASE         LAST VALIDATED                  ACCESS MODE   DEFAULT   MESSAGE",
		"default   aws        b/p             Available     2026-01-02 12:00:00 +0000 UTC   ReadWrite     true",
		"west      aws        b/p             Unavailable   Unknown                         ReadWrite               bucket b does not exist")
	lifeboat(t, m, "", "backup-location", "get", "-o", "yaml").want(t, console.CodeDone, "lastValidated: \"2026-01-02T12:00:00Z\"", "credentials: file c, profile p")
	lifeboat(t, m, "", "get", "location", "west", "-o", "name").want(t, console.CodeDone, "west\n")
	lifeboat(t, m, "", "location", "check", "default").want(t, console.CodeDone, `Location "default" (b/p, ReadWrite): Available`,
		"conditional write   no    501      two backups of one name may overwrite each other")
	lifeboat(t, m, "", "location", "check").want(t, console.CodeError, "Unavailable", "bucket b does not exist")
	lifeboat(t, m, "", "location", "check", "-o", "json").want(t, console.CodeError, `"phase": "Unavailable"`)
	lifeboat(t, m, "", "location", "check", "nope").want(t, console.CodeNotFound)
	lifeboat(t, &memory{reads: map[string]contract.ReadResult{contract.ReadLocations: {}}}, "", "location", "check").want(t, console.CodeNotFound, "has none")
}

func TestVersion(t *testing.T) {
	m := &memory{reads: map[string]contract.ReadResult{contract.ReadServer: {Server: &contract.ServerStatus{Version: "v1", Cluster: "prod", Kubernetes: "v1.37"}}}}
	lifeboat(t, m, "", "version").want(t, console.CodeDone, "Client:", "Server:\n\tVersion: v1\n\tCluster: prod")
	lifeboat(t, m, "", "version", "-o", "json").want(t, console.CodeDone, `"kubernetes": "v1.37"`)
	got := lifeboat(t, &memory{}, "", "version", "--client-only")
	got.want(t, console.CodeDone, "Client:")
	lifeboat(t, &memory{}, "", "version").want(t, console.CodeNotFound, "Client:", "error: ask the worker for its version")
}

// Workers that serve different clusters or storage locations are named, with what each has.
func TestDifferentWorkers(t *testing.T) {
	m := &memory{reads: map[string]contract.ReadResult{
		contract.ReadServer:    {Server: &contract.ServerStatus{Version: "v1", Cluster: "prod", ClusterUID: "u1", Configuration: "new"}},
		contract.ReadLocations: {Locations: []contract.LocationStatus{{Name: "default", Place: "d1"}}},
	}}
	alike := temporal.Poller{Name: "1@a", ClusterUID: "u1", Configuration: "new", Started: noon()}
	m.pollers = []temporal.Poller{alike, alike}
	if got := lifeboat(t, m, "", "version"); got.errors != "" {
		t.Errorf("two of a kind: %s", got.errors)
	}
	m.pollers = []temporal.Poller{alike, {Name: "2@b", ClusterUID: "u1", Configuration: "old", Started: noon()}, {Name: "3@c"}}
	for _, command := range []string{"version", "location get", "location get -o json"} {
		lifeboat(t, m, "", strings.Fields(command)...).want(t, console.CodeDone, "warning: workers of cluster prod",
			"1@a: cluster uid u1, storage locations new", "2@b: cluster uid u1, storage locations old", "3@c: of an older version")
	}
	lifeboat(t, m, "", "version").want(t, console.CodeDone, "Cluster UID: u1", "Storage locations: new")
	lifeboat(t, m, "", "version", "-o", "json").want(t, console.CodeDone, `"configuration": "old"`)
	lifeboat(t, m, "", "location", "get", "-o", "json").want(t, console.CodeDone, `"place": "d1"`)
}

func TestUsage(t *testing.T) {
	lifeboat(t, &memory{}, "").want(t, console.CodeDone, "Exit codes:", "TEMPORAL_ADDRESS")
	lifeboat(t, &memory{}, "", "frob").want(t, console.CodeError, `error: unknown command "frob" for "lifeboat"`)
	lifeboat(t, &memory{}, "", "backup", "frob").want(t, console.CodeError, `unknown command "frob" for "lifeboat backup": use one of cancel, cost, create`)
	lifeboat(t, &memory{}, "", "backup").want(t, console.CodeDone, "Available Commands:")
	lifeboat(t, stock(), "", "__complete", "backup", "describe", "").want(t, console.CodeDone, "nightly\n", ":4")
	lifeboat(t, stock(), "", "__complete", "backup", "cancel", "").want(t, console.CodeDone, "busy\n")
	lifeboat(t, stock(), "", "__complete", "restore", "describe", "").want(t, console.CodeDone, "back\n")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := lifeboat(t, &memory{}, "", "completion", shell); got.code != console.CodeDone || !strings.Contains(got.out, "lifeboat") {
			t.Errorf("completion %s: %+v", shell, got)
		}
	}
}

// fullDisk is a standard output that takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A result that could not be written is no success.
func TestOutputErrors(t *testing.T) {
	for _, args := range []string{"backup get", "backup get -o name", "backup describe nightly", "backup cancel busy", "version --client-only"} {
		var errs bytes.Buffer
		a := testApp(stock(), "", nil, &errs)
		a.Stdout = console.New(nil, fullDisk{}, nil).Stdout
		if code := a.run(t.Context(), strings.Fields(args)); code != console.CodeError || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%s: code %d, %s", args, code, errs.String())
		}
	}
}

// Every command explains itself with an example.
func TestHelp(t *testing.T) {
	m := &memory{}
	for _, c := range newApp(nil, nil, nil).root().Commands() {
		if c.Name() == "completion" || c.Name() == "help" {
			continue
		}
		for _, child := range append(c.Commands(), c) {
			if child.HasSubCommands() || child.Hidden { // TestVeleroHabits has what is hidden
				continue
			}
			if child.Example == "" || child.Short == "" {
				t.Errorf("%s has no example", child.CommandPath())
			}
			lifeboat(t, m, "", append(strings.Fields(child.CommandPath())[1:], "--help")...).want(t, console.CodeDone, "Examples:", "Usage:")
		}
	}
}

// TestRestoreThatWroteNothing: what Temporal keeps of it is shown.
func TestRestoreThatWroteNothing(t *testing.T) {
	m := stock()
	res := &contract.RestoreResult{Name: "told", Phase: "Completed", NotStored: true, Counts: contract.Counts{Created: 4, Failed: 1}, Warnings: 1, Errors: 2, Reasons: []string{"RESULTS_NOT_STORED no place", "APPLY_FAILED no room"}}
	m.runs[temporal.KindRestore] = append(m.runs[temporal.KindRestore], temporal.State{Run: temporal.Run{Kind: temporal.KindRestore, Name: "told"}, Phase: "Completed", Closed: noon(), Result: res})
	m.results = map[string]any{"told": *res}
	lifeboat(t, m, "", "restore", "describe", "told").want(t, console.CodeDone, "4 created, 0 updated, 0 skipped, 1 failed", "APPLY_FAILED no room", "1 reason")
	lifeboat(t, m, "", "restore", "describe", "told", "-o", "json").want(t, console.CodeDone, `"notStored": true`)
	lifeboat(t, m, "", "restore", "get").want(t, console.CodeDone, "told ")
	lifeboat(t, m, "", "restore", "create", "told", "--from-backup", "b", "--dry-run").want(t, console.CodeDone, "would leave 4 created", "--results-location")
}
