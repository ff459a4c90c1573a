package stack

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func sleeper(t *testing.T, s *Stack) (*service, *child) {
	t.Helper()
	svc := &service{Name: "sleeper", Binary: "/bin/sleep", Args: []string{"60"}, Log: s.Dir + "/sleeper.log"}
	c, err := s.spawn(svc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { killGroup(svc.PID) })
	return svc, c
}

func waitDead(t *testing.T, c *child) {
	t.Helper()
	select {
	case <-c.dead:
	case <-time.After(5 * time.Second):
		t.Fatal("process still lives")
	}
}

func TestKillEndsOurProcess(t *testing.T) {
	s := &Stack{Dir: t.TempDir()}
	svc, c := sleeper(t, s)
	if !svc.ours() {
		t.Fatal("a running service is not recognised")
	}
	if err := svc.kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitDead(t, c)
	if svc.ours() {
		t.Error("a dead service counts as running")
	}
}

func TestKillSparesStrangers(t *testing.T) {
	svc, c := sleeper(t, &Stack{Dir: t.TempDir()})
	stale := *svc
	stale.Birth = "1" // as if the number had belonged to another process before
	if err := stale.kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.dead:
		t.Error("a process that is not ours was killed")
	case <-time.After(100 * time.Millisecond):
	}
}

func TestStopFindsUnrecordedMembers(t *testing.T) {
	s := &Stack{Dir: t.TempDir()}
	if err := s.update(t.Context(), func(st *state) { st.Stack = s }); err != nil {
		t.Fatal(err)
	}
	_, c := sleeper(t, s) // started, but a crash came before it was recorded
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitDead(t, c)
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func TestStopSparesFilesOfOthers(t *testing.T) {
	s := &Stack{Dir: t.TempDir()}
	if err := s.update(t.Context(), func(st *state) { st.Stack = s }); err != nil {
		t.Fatal(err)
	}
	precious := s.Dir + "/notes.txt"
	if err := os.WriteFile(precious, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !exists(precious) || exists(stateFile(s.Dir)) {
		t.Error("stop must remove what the stack made and nothing else")
	}
}

// TestChildrenDieWithParent runs itself as a parent that is killed.
func TestChildrenDieWithParent(t *testing.T) {
	if dir := os.Getenv("STACK_TEST_PARENT"); dir != "" {
		s := &Stack{Dir: dir, spawner: newSpawner(true)}
		sleeper(t, s)
		os.Stdout.WriteString("started\n")
		select {}
	}
	s := &Stack{Dir: t.TempDir()}
	parent := exec.Command(os.Args[0], "-test.run=^TestChildrenDieWithParent$")
	parent.Env = append(os.Environ(), "STACK_TEST_PARENT="+s.Dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("started\n"))); err != nil {
		t.Fatal(err)
	}
	if len(members(s.Dir)) != 1 {
		t.Skip("this system does not show the environment of processes")
	}
	_ = parent.Process.Signal(syscall.SIGKILL)
	_ = parent.Wait()
	err = poll(t.Context(), "wait for the child to die", func() (bool, error) { return len(members(s.Dir)) == 0, nil })
	if err != nil {
		t.Error(err)
	}
}
