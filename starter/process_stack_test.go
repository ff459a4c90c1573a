//go:build stack

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// TestSignals runs the real binary: the first Ctrl-C explains, the second ends at
// once even where the first is still being served.
func TestSignals(t *testing.T) {
	s := newSite(t)
	binary := filepath.Join(t.TempDir(), "lifeboat")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd, errs := s.process(binary, "backup", "create", "one", "--wait")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, errs.String, "exporting")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, cmd); code != console.CodeInterrupted {
		t.Errorf("code %d", code)
	}
	has(t, errs.String(), `stopped waiting; the backup of "one" goes on.`)

	cmd, errs = s.process(binary, "backup", "wait", "one")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, errs.String, "exporting")
	start := time.Now()
	for range 2 {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if code := exitCode(t, cmd); code != console.CodeInterrupted || time.Since(start) > 5*time.Second {
		t.Errorf("code %d after %s", code, time.Since(start))
	}
	close(s.hold)
	if code, _, stderr := s.lifeboat(t.Context(), "backup", "wait", "one"); code != console.CodeDone {
		t.Errorf("the run did not go on: code %d\n%s", code, stderr)
	}
}

func (s *site) process(binary string, args ...string) (*exec.Cmd, *syncBuffer) {
	errs := &syncBuffer{}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+s.address, "TEMPORAL_NAMESPACE="+shared.Temporal.Namespace, "LIFEBOAT_CLUSTER="+s.name)
	cmd.Stderr = errs
	return cmd, errs
}

func exitCode(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}
