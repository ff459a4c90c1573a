package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// What users of Velero type by habit works, or is answered with what to type instead; so is
// what is mistyped.
func TestVeleroHabits(t *testing.T) {
	const cluster = "name the cluster with --cluster or LIFEBOAT_CLUSTER"
	for args, want := range map[string]string{
		"-n velero backup get":                 "choose namespaces with --include-namespaces",
		"backup get --namespace velero":        "choose namespaces with --include-namespaces",
		"backup get --kubeconfig x":            cluster,
		"backup get --kubecontext=x":           cluster,
		"restore delete r":                     "there is no lifeboat restore delete: what it records stays",
		"install --provider aws --bucket b":    "| kubectl apply -f -",
		"client config get":                    "set LIFEBOAT_CLUSTER",
		"bakcup get":                           `unknown command "bakcup" for "lifeboat": did you mean backup?`,
		"backup creat":                         `unknown command "creat" for "lifeboat backup": did you mean create?`,
		"backup create a --include-namespce b": "unknown flag: --include-namespce; did you mean --include-namespaces?",
		"backup create a --frobnicate":         "unknown flag: --frobnicate; see 'lifeboat backup create --help'",
	} {
		m := &memory{}
		lifeboat(t, m, "", strings.Fields(args)...).want(t, console.CodeError, "error: ", want)
		if len(m.started) > 0 {
			t.Errorf("%s: started %v", args, m.started)
		}
	}
	lifeboat(t, &memory{}, "", "--version").want(t, console.CodeDone, "lifeboat version ")
	m := &memory{reads: map[string]contract.ReadResult{contract.ReadLocations: {Locations: []contract.LocationStatus{{Name: "west", Phase: "Available"}}}}}
	for _, args := range []string{"backup-location get", "bsl get", "get backup-locations", "location get"} {
		lifeboat(t, m, "", strings.Fields(args)...).want(t, console.CodeDone, "west", "Available")
	}
}

// A location that cannot be used has a cause and no table of what was not tried.
func TestCheckUnavailable(t *testing.T) {
	l := contract.LocationStatus{Name: "west", Bucket: "b", Phase: "Unavailable", AccessMode: "ReadWrite", Message: "no such bucket"}
	m := &memory{reads: map[string]contract.ReadResult{
		contract.ReadLocations: {Locations: []contract.LocationStatus{l}}, contract.ReadLocationCheck: {Locations: []contract.LocationStatus{l}},
	}}
	got := lifeboat(t, m, "", "location", "check")
	if got.want(t, console.CodeError); got.out != "Location \"west\" (b, ReadWrite): Unavailable\n  no such bucket\n" {
		t.Errorf("got\n%s", got.out)
	}
}

// A name that can be no backup's is refused before anything is started.
func TestDeleteNoName(t *testing.T) {
	m := twoPlaces()
	lifeboat(t, m, "", "backup", "delete", "nope*", "--confirm").want(t, console.CodeError, `error: backup `, "--selector and --all choose several")
	if len(m.started) > 0 {
		t.Errorf("started %v", m.started)
	}
}

// Errors speak of flags where flags were given.
func TestRestoreErrorNamesFlag(t *testing.T) {
	m := &memory{failures: map[string]error{"r": &temporal.RunError{
		Run: temporal.Run{Kind: temporal.KindRestore, Name: "r"}, Phase: "Failed",
		Message: `spec.scheduleName: schedule "s" has no Completed backup in storage location default; name one with backupName, or allow PartiallyFailed ones`,
	}}}
	got := lifeboat(t, m, "", "restore", "create", "r", "--from-schedule", "s", "--wait")
	got.want(t, console.CodeFailed, `--from-schedule: schedule "s" has no Completed backup`, "--allow-partially-failed")
	if strings.Contains(got.errors, "spec.") {
		t.Error(got.errors)
	}
}

// slow is a backend that takes its time.
type slow struct {
	*memory
	takes time.Duration
}

func (s slow) Backups(ctx context.Context, selector, location string) (temporal.Listing[contract.BackupSummary], error) {
	time.Sleep(s.takes)
	return s.memory.Backups(ctx, selector, location)
}

// Who waits is told what for; who does not is told nothing.
func TestWaitingIsSaid(t *testing.T) {
	for takes, want := range map[time.Duration]bool{0: false, 100 * time.Millisecond: true} {
		var out, errs syncBuffer
		a := newApp(strings.NewReader(""), &out, &errs)
		a.Now, a.Silence = noon, 50*time.Millisecond
		a.Dial = func(context.Context, string) (console.Backend, error) { return slow{twoPlaces(), takes}, nil }
		if code := a.run(t.Context(), []string{"backup", "get"}); code != console.CodeDone {
			t.Fatalf("code %d: %s", code, errs.String())
		}
		if got := strings.Contains(errs.String(), "waiting for the worker of cluster prod to answer: backups\n"); got != want {
			t.Errorf("after %s: %q", takes, errs.String())
		}
	}
	var errs syncBuffer
	a := newApp(strings.NewReader(""), &syncBuffer{}, &errs)
	a.Silence = time.Millisecond
	a.Dial = func(context.Context, string) (console.Backend, error) {
		time.Sleep(50 * time.Millisecond)
		return nil, errors.New("temporal at x: no answer within 5s")
	}
	if a.run(t.Context(), []string{"backup", "get"}); !strings.HasPrefix(errs.String(), "waiting for Temporal\nerror: temporal at x") {
		t.Error(errs.String())
	}
}

// A start without --wait tells what holds the run up.
func TestStartTellsTrouble(t *testing.T) {
	m := &memory{samples: []temporal.Sample{{Trouble: "PrepareBackup, attempt 2: storage location default (bucket b): connection refused"}}}
	lifeboat(t, m, "", "backup", "create", "a").want(t, console.CodeDone, "attempt 2: storage location default", "is running as workflow")
}
