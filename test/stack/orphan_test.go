//go:build stack

package stack

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestStopAfterStarterCrashed runs itself as a starter, kills it with SIGKILL in
// the middle and once it is done, and cleans up from here.
func TestStopAfterStarterCrashed(t *testing.T) {
	if dir := os.Getenv("STACK_TEST_STARTER"); dir != "" {
		if _, err := Start(t.Context(), Options{Dir: dir, Stdout: os.Stdout}); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	for _, moment := range []string{"start etcd", "start versitygw", "stack ready"} {
		t.Run(moment, func(t *testing.T) { crashStarter(t, moment) })
	}
}

func crashStarter(t *testing.T, moment string) {
	dir := t.TempDir()
	starter := exec.Command(os.Args[0], "-test.run=^TestStopAfterStarterCrashed$")
	starter.Env = append(os.Environ(), "STACK_TEST_STARTER="+dir)
	out, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	waitLine(t, out, moment)
	_ = starter.Process.Kill()
	_ = starter.Wait()
	if len(members(dir)) == 0 {
		t.Fatal("nothing outlived the starter: there is nothing to test")
	}
	s, err := Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	stopAndCheck(t, s)
}

func stopAndCheck(t *testing.T, s *Stack) {
	t.Helper()
	for range 2 { // idempotent
		if err := s.Stop(timeout(t, 30*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if left := members(s.Dir); len(left) > 0 {
		t.Errorf("processes left behind: %v", left)
	}
	if exists(s.Dir + "/data") {
		t.Error("data left behind")
	}
}

func waitLine(t *testing.T, out io.Reader, prefix string) {
	t.Helper()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), prefix) {
			return
		}
	}
	t.Fatalf("the starter never said %q", prefix)
}

// warmStart is how long a start may take once everything is built: 20 s (it takes 7 s on
// two busy processors), and up to three times as long, in proportion, while more processes
// want to run than there are processors.
func warmStart() time.Duration {
	var load float64 // of the last minute; 0 where the system does not say
	raw, _ := os.ReadFile("/proc/loadavg")
	_, _ = fmt.Sscan(string(raw), &load)
	return time.Duration(20 * min(3, max(1, load/float64(runtime.NumCPU()))) * float64(time.Second))
}

func TestWarmStartAndStopLeavesNothing(t *testing.T) {
	dir, most := t.TempDir(), warmStart()
	begin := time.Now()
	s, err := Start(timeout(t, 2*time.Minute), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	t.Logf("warm start in %.1f s, at most %.1f s", took.Seconds(), most.Seconds())
	if took > most {
		t.Errorf("warm start took %.1f s, at most %.1f s are promised", took.Seconds(), most.Seconds())
	}
	if got := len(members(dir)); got != 5 {
		t.Errorf("%d processes carry the stack's mark, want 5", got)
	}
	stopAndCheck(t, s)
}

func TestFailedStartShowsTheLog(t *testing.T) {
	_, err := Start(timeout(t, 2*time.Minute), Options{Dir: t.TempDir(), APIServerArgs: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("got %v", err)
	}
}
