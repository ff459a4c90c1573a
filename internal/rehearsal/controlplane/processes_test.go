//go:build linux

package controlplane_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
)

// TestMain runs, in a process of its own, a worker that starts a control plane and is killed.
func TestMain(m *testing.M) {
	if root := os.Getenv("LIFEBOAT_TEST_WORKER"); root != "" {
		p := &controlplane.Processes{APIServer: filepath.Join(root, "program"), Etcd: filepath.Join(root, "program"), Root: root}
		_, _ = p.Start(context.Background(), controlplane.Spec{})
		return
	}
	os.Exit(m.Run())
}

// program writes one that takes any arguments: it notes its environment and waits.
func program(t *testing.T, root, text string) string {
	t.Helper()
	path := filepath.Join(root, "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// pids are the processes that control planes below root have noted, with those that have come.
func pids(t *testing.T, root string, want int) []int {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		files, _ := filepath.Glob(filepath.Join(root, "*", "*.pid"))
		var all []int
		for _, f := range files {
			data, _ := os.ReadFile(f)
			if pid, err := strconv.Atoi(string(data)); err == nil {
				all = append(all, pid)
			}
		}
		if len(all) >= want {
			return all
		}
		if time.Now().After(end) {
			t.Fatalf("%d processes, want %d", len(all), want)
		}
	}
}

func awaitEnd(t *testing.T, all []int) {
	t.Helper()
	for _, pid := range all {
		for end := time.Now().Add(5 * time.Second); syscall.Kill(pid, 0) == nil && !isZombie(pid); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("process %d still runs", pid)
			}
		}
	}
}

func isZombie(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(data), ") Z ")
}

// TestKilledWorker: a worker that is killed takes its control plane along, and the next one
// removes its files; those of a worker that lives are left alone.
func TestKilledWorker(t *testing.T) {
	root := t.TempDir()
	program(t, root, "exec sleep 600")
	worker := exec.Command(os.Args[0])
	worker.Env = append(os.Environ(), "LIFEBOAT_TEST_WORKER="+root)
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	all := pids(t, root, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	next := &controlplane.Processes{APIServer: filepath.Join(root, "program"), Etcd: filepath.Join(root, "program"), Root: root}
	if _, err := next.Start(ctx, controlplane.Spec{}); err == nil {
		t.Error("a program that serves nothing started")
	}
	if left, _ := filepath.Glob(filepath.Join(root, "lifeboat-rehearsal-*")); len(left) != 1 {
		t.Errorf("beside a worker that lives: %q", left)
	}
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = worker.Wait()
	awaitEnd(t, all)
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, _ = next.Start(ctx, controlplane.Spec{})
	if left, _ := filepath.Glob(filepath.Join(root, "lifeboat-rehearsal-*")); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
}

// TestOrphans: what survived its parent is ended by its id, if that is still the same program.
func TestOrphans(t *testing.T) {
	root := t.TempDir()
	path := program(t, root, "exec sleep 600")
	dir := filepath.Join(root, "lifeboat-rehearsal-1")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	orphan := exec.Command("/bin/sh", "-c", "sleep 600; true", filepath.Join(dir, "etcd"))
	other := exec.Command("sleep", "600")
	for name, cmd := range map[string]*exec.Cmd{"etcd": orphan, "kube-apiserver": other} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}()
		if err := os.WriteFile(filepath.Join(dir, name+".pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _ = (&controlplane.Processes{APIServer: path, Etcd: path, Root: root}).Start(ctx, controlplane.Spec{})
	awaitEnd(t, []int{orphan.Process.Pid})
	if syscall.Kill(other.Process.Pid, 0) != nil || isZombie(other.Process.Pid) {
		t.Error("a process of somebody else was killed")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("its files are still there")
	}
}

// TestProgramThatEnds: an error tells what the program said last; the environment, which may
// hold credentials, is not handed on.
func TestProgramThatEnds(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
	root := t.TempDir()
	path := program(t, root, `echo "cannot start: $AWS_SECRET_ACCESS_KEY."; env | grep -c SECRET; exit 1`)
	_, err := (&controlplane.Processes{APIServer: path, Etcd: path, Root: root}).Start(t.Context(), controlplane.Spec{})
	if err == nil || !strings.Contains(err.Error(), "cannot start: .") || failure.TypeOf(err) != "" {
		t.Errorf("%v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "lifeboat-rehearsal-*")); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
}

// TestMissingBinary: the error names the field, and no retry mends it.
func TestMissingBinary(t *testing.T) {
	root := t.TempDir()
	path := program(t, root, "exit 1")
	for _, p := range []*controlplane.Processes{{APIServer: path, Etcd: path + "-gone", Root: root}, {APIServer: path + "-gone", Etcd: path, Root: root}} {
		_, err := p.Start(t.Context(), controlplane.Spec{})
		if failure.TypeOf(err) != contract.ErrTypeLocation || !strings.Contains(err.Error(), "-gone") {
			t.Errorf("%v", err)
		}
	}
}
