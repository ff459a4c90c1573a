//go:build stack

package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// eventually waits until text holds all of want.
func eventually(t *testing.T, text func() string, want ...string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		missing := ""
		for _, w := range want {
			if !strings.Contains(text(), w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q in:\n%s", missing, text())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func has(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in:\n%s", w, text)
		}
	}
}

func TestBackupStory(t *testing.T) {
	s := newSite(t)
	var out, errs syncBuffer
	done := make(chan int)
	go func() {
		done <- s.start(t.Context(), &out, &errs, "backup", "create", "one", "--wait", "--labels", "team=shop")
	}()
	// Progress adds the heartbeat of the running export.
	eventually(t, errs.String, "400/1,000 objects (40%)", "2.0 MiB", "exporting 1 shards")

	code, _, stderr := s.lifeboat(t.Context(), "backup", "create", "one", "--wait")
	if code != console.CodeExists {
		t.Errorf("same name while it runs: code %d", code)
	}
	has(t, stderr, `error: backup "one" is already running since `, "workflow backup:"+s.name+":one")
	code, stdout, _ := s.lifeboat(t.Context(), "backup", "get", "-l", "team=shop", "--show-labels")
	if code != console.CodeDone {
		t.Errorf("get: code %d", code)
	}
	has(t, stdout, "one", "InProgress", "team=shop")
	_, stdout, _ = s.lifeboat(t.Context(), "backup", "describe", "one")
	has(t, stdout, "InProgress", "Progress:", "400/1,000 objects")
	code, _, stderr = s.lifeboat(t.Context(), "backup", "logs", "one")
	has(t, stderr, `backup "one" is InProgress: its log is written when it ends`)
	if code != console.CodeError {
		t.Errorf("logs of a running backup: code %d", code)
	}

	close(s.hold)
	if code := <-done; code != console.CodeDone {
		t.Errorf("create --wait: code %d\n%s", code, errs.String())
	}
	has(t, out.String(), `Backup "one" Completed: 1,000 objects, 5.0 MiB in 1s; 0 warnings, 0 errors.`, "Next: ")

	code, _, stderr = s.lifeboat(t.Context(), "backup", "create", "one", "--wait")
	if code != console.CodeExists {
		t.Errorf("same name once it exists: code %d", code)
	}
	has(t, stderr, "already exists")
	code, stdout, _ = s.lifeboat(t.Context(), "backup", "logs", "one")
	if code != console.CodeDone || stdout != "level=info msg=\"all well\"\n" {
		t.Errorf("logs: code %d, %q", code, stdout)
	}
	code, _, stderr = s.lifeboat(t.Context(), "backup", "delete", "one")
	has(t, stderr, "Delete one and everything in them? [y/N]", "nothing was deleted; pass --confirm")
	if code != console.CodeError {
		t.Errorf("delete without an answer: code %d", code)
	}
	code, stdout, stderr = s.lifeboat(t.Context(), "backup", "delete", "one", "--confirm")
	if code != console.CodeDone {
		t.Errorf("delete: code %d\n%s", code, stderr)
	}
	has(t, stdout, `Backup "one" deleted: 12 files, 0 snapshots.`)
	if code, _, _ := s.lifeboat(t.Context(), "backup", "delete", "one", "--confirm"); code != console.CodeNotFound {
		t.Errorf("delete again: code %d", code)
	}
	if code, _, _ := s.lifeboat(t.Context(), "backup", "describe", "one"); code != console.CodeNotFound {
		t.Errorf("describe what was deleted: code %d", code)
	}
}

func TestCtrlCLeavesTheRun(t *testing.T) {
	s := newSite(t)
	ctx, interrupt := context.WithCancel(t.Context())
	var out, errs syncBuffer
	done := make(chan int)
	go func() { done <- s.start(ctx, &out, &errs, "backup", "create", "two", "-w") }()
	eventually(t, errs.String, "exporting")
	interrupt()
	if code := <-done; code != console.CodeInterrupted {
		t.Errorf("code %d", code)
	}
	has(t, errs.String(), `stopped waiting; the backup of "two" goes on.`,
		"lifeboat backup wait two", "lifeboat backup describe two", "lifeboat backup cancel two")
	code, stdout, _ := s.lifeboat(t.Context(), "backup", "cancel", "two")
	if code != console.CodeDone {
		t.Errorf("cancel: code %d", code)
	}
	has(t, stdout, `Backup "two" was asked to stop`)
	code, _, stderr := s.lifeboat(t.Context(), "backup", "wait", "two")
	if code != console.CodeFailed {
		t.Errorf("wait for what was cancelled: code %d", code)
	}
	has(t, stderr, `error: backup "two": Canceled: it was cancelled`)
	code, _, stderr = s.lifeboat(t.Context(), "backup", "cancel", "two")
	if code != console.CodeNotFound {
		t.Errorf("cancel again: code %d", code)
	}
	has(t, stderr, `backup "two" is not running: it is Canceled`)
	_, stdout, _ = s.lifeboat(t.Context(), "backup", "get", "two")
	has(t, stdout, "Canceled")
}

func TestLostConnection(t *testing.T) {
	s := newSite(t)
	proxy, err := stack.NewProxy(s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	s.address = proxy.Addr()
	var out, errs syncBuffer
	done := make(chan int)
	go func() { done <- s.start(t.Context(), &out, &errs, "backup", "create", "three", "--wait") }()
	eventually(t, errs.String, "exporting")
	proxy.Cut()
	eventually(t, errs.String, "does not answer, still trying; the run is not affected")
	close(s.hold) // the run ends while nobody can see it
	if err := proxy.Heal(); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != console.CodeDone {
		t.Errorf("code %d\n%s", code, errs.String())
	}
	has(t, out.String(), `Backup "three" Completed`)
}

func TestRefusedAtOnce(t *testing.T) {
	s := newSite(t)
	// Without --wait a run that refuses its input is reported all the same.
	code, _, stderr := s.lifeboat(t.Context(), "backup", "create", "four", "--storage-location", "nowhere")
	if code != console.CodeError {
		t.Errorf("code %d", code)
	}
	has(t, stderr, `error: backup "four": FailedValidation: spec.storageLocation: "nowhere" is not one of default`)
	_, stdout, _ := s.lifeboat(t.Context(), "backup", "get")
	has(t, stdout, "four", "FailedValidation", "nowhere")
	_, stdout, _ = s.lifeboat(t.Context(), "backup", "describe", "four")
	has(t, stdout, "FailedValidation", `"nowhere" is not one of default`)
	code, stdout, _ = s.lifeboat(t.Context(), "backup", "create", "five")
	if code != console.CodeDone {
		t.Errorf("create without --wait: code %d", code)
	}
	has(t, stdout, `Backup "five" is running as workflow backup:`, "lifeboat backup wait five")
	close(s.hold)
}

func TestRestoreStory(t *testing.T) {
	s := newSite(t)
	close(s.hold)
	if code, _, stderr := s.lifeboat(t.Context(), "backup", "create", "six", "--wait"); code != console.CodeDone {
		t.Fatalf("code %d\n%s", code, stderr)
	}
	code, stdout, _ := s.lifeboat(t.Context(), "restore", "create", "back", "--from-backup", "six", "--wait")
	if code != console.CodePartiallyFailed {
		t.Errorf("code %d", code)
	}
	has(t, stdout, `Restore "back" from backup "six" PartiallyFailed`, "990 created, 0 updated, 8 skipped, 2 failed",
		"[QUOTA_EXCEEDED] configmaps shop/a", "and 1 more")
	code, stdout, stderr := s.lifeboat(t.Context(), "restore", "create", "look", "--from-backup", "six", "--dry-run")
	if code != console.CodeDone {
		t.Errorf("dry run: code %d\n%s", code, stderr)
	}
	has(t, stdout, "+ configmaps shop/a", "1 object: 1 to create", "Nothing was written", "--plan look")
	code, _, stderr = s.lifeboat(t.Context(), "restore", "create", "--from-backup", "missing", "--wait")
	if code != console.CodeNotFound {
		t.Errorf("missing backup: code %d", code)
	}
	has(t, stderr, "backup missing does not exist")
}

func TestNobodyThere(t *testing.T) {
	s := newSite(t)
	s.name = "nobody-polls-this"
	start := time.Now()
	code, _, stderr := s.lifeboat(t.Context(), "backup", "create", "x")
	if code != console.CodeError {
		t.Errorf("code %d", code)
	}
	has(t, stderr, "no worker polls task queue lifeboat-nobody-polls-this", "lifeboat-worker --config")
	s.address = "127.0.0.1:1"
	code, _, stderr = s.lifeboat(t.Context(), "backup", "get")
	if code != console.CodeError {
		t.Errorf("code %d", code)
	}
	has(t, stderr, "error: temporal at 127.0.0.1:1: ", "set TEMPORAL_ADDRESS")
	if took := time.Since(start); took > 12*time.Second {
		t.Errorf("two errors took %s", took)
	}
}

func TestDiscovery(t *testing.T) {
	namespace := newNamespace(t)
	get := func(want string) {
		t.Helper()
		eventually(t, func() string {
			var out, errs syncBuffer
			t.Setenv("TEMPORAL_ADDRESS", shared.Temporal.Address)
			t.Setenv("TEMPORAL_NAMESPACE", namespace)
			t.Setenv("LIFEBOAT_CLUSTER", "")
			run(t.Context(), []string{"backup", "get"}, strings.NewReader(""), &out, &errs)
			return out.String() + errs.String()
		}, want)
	}
	get(`no cluster is served in Temporal namespace "` + namespace)
	a := newSiteIn(t, namespace)
	a.wake()
	get("No backups found") // the only one is the one
	b := newSiteIn(t, namespace)
	b.wake()
	get("several clusters are served here: name one of " + a.name + ", " + b.name + " with --cluster or LIFEBOAT_CLUSTER")
}
