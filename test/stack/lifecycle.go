package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// Attach gives a stack that another process started; dir is its state directory.
func Attach(dir string) (*Stack, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	st, err := readState(dir)
	if err != nil {
		return nil, fmt.Errorf("attach to stack: %w", err)
	}
	if st.Stack == nil {
		return nil, fmt.Errorf("attach to stack in %s: its state names none", dir)
	}
	st.Stack.Dir, st.Stack.allowed = dir, &allowedLocations{}
	return st.Stack, nil
}

type logsAfter bool

const (
	keepLogs   logsAfter = true
	removeLogs logsAfter = false
)

// Stop ends every process of the stack and removes its data. It may be called
// again, from any process, and after the starter crashed.
func (s *Stack) Stop(ctx context.Context) error {
	return s.stop(ctx, removeLogs)
}

func (s *Stack) stop(ctx context.Context, logs logsAfter) error {
	st, err := readState(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop stack: %w", err)
	}
	if err := s.killAll(ctx, st); err != nil {
		return fmt.Errorf("stop stack: %w", err)
	}
	s.spawner.close()
	if err := errors.Join(s.removeNode(ctx), s.removeEngine(ctx)); err != nil {
		return fmt.Errorf("stop stack: %w", err)
	}
	return s.remove(st, logs)
}

// killAll kills what is recorded, then what carries the stack's mark.
func (s *Stack) killAll(ctx context.Context, st *state) error {
	var steps []func() error
	for _, svc := range st.Services {
		steps = append(steps, func() error { return svc.kill(ctx) })
	}
	if err := parallel(steps...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return poll(ctx, "kill what carries the stack's mark", func() (bool, error) {
		left := members(s.Dir)
		for _, pid := range left {
			killGroup(pid)
		}
		return len(left) == 0, nil
	})
}

// Restart kills a component with SIGKILL, starts it again on the same ports and
// waits until it is healthy. temporal, s3 and apiserver are accepted as short names.
func (s *Stack) Restart(ctx context.Context, name string) error {
	if err := s.Kill(ctx, name); err != nil {
		return err
	}
	return s.Resume(ctx, name)
}

// Kill ends a component as a crash would, and leaves it dead until Resume.
func (s *Stack) Kill(ctx context.Context, name string) error {
	svc, err := s.service(longName(name))
	if err != nil {
		return fmt.Errorf("kill component: %w", err)
	}
	return svc.kill(ctx)
}

// Resume starts a killed component again, with the arguments and ports it had.
func (s *Stack) Resume(ctx context.Context, name string) error {
	svc, err := s.service(longName(name))
	if err != nil {
		return fmt.Errorf("resume component: %w", err)
	}
	return s.run(ctx, svc)
}

func longName(name string) string {
	switch strings.ToLower(name) {
	case "s3":
		return "versitygw"
	case "apiserver":
		return "kube-apiserver"
	}
	return name
}
