package stack

import (
	"context"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// spawner starts processes. With a thread of its own the children can be told to
// die with it: the kernel ties that to the thread that forked, and Go moves
// goroutines between threads and ends idle ones.
type spawner struct {
	jobs chan func()
}

// newSpawner makes one whose children die with this process, or, for a stack
// that should outlive it, one that starts them as they are.
func newSpawner(dieWithParent bool) *spawner {
	if !dieWithParent {
		return &spawner{}
	}
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	if s == nil || s.jobs == nil {
		return cmd.Start()
	}
	dieWithThread(cmd.SysProcAttr)
	result := make(chan error)
	s.jobs <- func() { result <- cmd.Start() }
	return <-result
}

func (s *spawner) close() {
	if s != nil && s.jobs != nil {
		close(s.jobs)
		s.jobs = nil
	}
}

// ours tells whether the service's process still runs: a PID alone may have been
// given to a stranger since.
func (svc *service) ours() bool {
	return svc.PID > 1 && svc.Birth != "" && birth(svc.PID) == svc.Birth
}

// killGroup ends a process and what it started (Velero starts plugins).
func killGroup(pid int) {
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// kill ends the service and waits until its ports are free again.
func (svc *service) kill(ctx context.Context) error {
	if !svc.ours() {
		return nil
	}
	killGroup(svc.PID)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return poll(ctx, "kill "+svc.Name, func() (bool, error) { return !svc.ours(), nil })
}
