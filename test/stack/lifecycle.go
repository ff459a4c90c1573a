package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// prepare makes an empty directory for the stack and records that it is ours.
func prepare(ctx context.Context, o Options) (*Stack, error) {
	s := &Stack{out: newSyncWriter(o.Stdout)}
	ownDir := o.Dir == ""
	var err error
	if s.Dir, err = chooseDir(o.Dir); err != nil {
		return nil, err
	}
	if err := s.clear(ctx); err != nil {
		return nil, err
	}
	if err := makeDirs(filepath.Join(s.Dir, "logs"), s.data("")); err != nil {
		return nil, err
	}
	s.spawner = newSpawner(o.DieWithParent)
	return s, s.update(ctx, func(st *state) { st.Stack, st.OwnDir = s, ownDir })
}

func chooseDir(dir string) (string, error) {
	if dir != "" {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		return dir, makeDirs(dir)
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	stacks := filepath.Join(cache, "stacks")
	if err := makeDirs(stacks); err != nil {
		return "", err
	}
	sweepStale(stacks)
	return os.MkdirTemp(stacks, "stack-")
}

// clear removes what an earlier stack left in the directory, but never a running one.
func (s *Stack) clear(ctx context.Context) error {
	st, err := readState(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, svc := range st.Services {
		if svc.ours() {
			return fmt.Errorf("a stack already runs in %s (%s, pid %d); stop it first", s.Dir, svc.Name, svc.PID)
		}
	}
	return s.stop(ctx, removeLogs)
}

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
	st.Stack.Dir = dir
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

// remove takes away only what a stack puts into its directory: the user may have
// named one that holds other things. state.json goes last, so that a Stop cut
// short can be repeated.
func (s *Stack) remove(st *state, logs logsAfter) error {
	gone := []string{"data", "state.lock", "state.json"}
	if logs == removeLogs {
		gone = slices.Insert(gone, 0, "logs")
	}
	for _, name := range gone {
		if err := os.RemoveAll(filepath.Join(s.Dir, name)); err != nil {
			return fmt.Errorf("remove stack: %w", err)
		}
	}
	if st.OwnDir && logs == removeLogs {
		return os.RemoveAll(s.Dir)
	}
	return nil
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
