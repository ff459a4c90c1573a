package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// prepare makes an empty directory for the stack and records that it is ours.
func prepare(ctx context.Context, o Options) (*Stack, error) {
	s := &Stack{out: newSyncWriter(o.Stdout), allowed: &allowedLocations{}}
	ownDir := o.Dir == ""
	var err error
	if s.Dir, err = chooseDir(ctx, o.Dir); err != nil {
		return nil, err
	}
	if err := s.clear(ctx); err != nil {
		return nil, err
	}
	if err := makeDirs(filepath.Join(s.Dir, "logs"), s.data("")); err != nil {
		return nil, err
	}
	if err := s.linkTools(); err != nil {
		return nil, err
	}
	s.spawner = newSpawner(o.DieWithParent)
	return s, s.update(ctx, func(st *state) { st.Stack, st.OwnDir = s, ownDir })
}

// BinDir holds the command line tools that are built, under their usual names.
func (s *Stack) BinDir() string { return filepath.Join(s.Dir, "bin") }

func (s *Stack) linkTools() error {
	if err := makeDirs(s.BinDir()); err != nil {
		return err
	}
	for _, name := range []string{"kubectl", "temporal", "velero"} {
		binary, err := Binary(name)
		if err != nil {
			continue // not built: this stack does without it
		}
		if err := os.Symlink(binary, filepath.Join(s.BinDir(), name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

func chooseDir(ctx context.Context, dir string) (string, error) {
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
	sweepStale(ctx, stacks)
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

// remove takes away only what a stack puts into its directory: the user may have
// named one that holds other things. state.json goes last, so that a Stop cut
// short can be repeated.
func (s *Stack) remove(st *state, logs logsAfter) error {
	gone := []string{"data", "bin", "state.lock", "state.json"}
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
