package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// state is what state.json holds: the stack as its users see it, and its
// processes. It is written after every start, so that a crash of the starter
// leaves enough to clean up.
type state struct {
	Stack    *Stack              `json:"stack"`
	Services map[string]*service `json:"services"`
	Order    []string            `json:"order"`
	OwnDir   bool                `json:"ownDir"` // made by Start, so removed by Stop
}

func stateFile(dir string) string { return filepath.Join(dir, "state.json") }

func readState(dir string) (*state, error) {
	data, err := os.ReadFile(stateFile(dir))
	if err != nil {
		return nil, err
	}
	st := &state{}
	if err := json.Unmarshal(data, st); err != nil {
		return nil, fmt.Errorf("read %s: %w", stateFile(dir), err)
	}
	return st, nil
}

// update changes state.json under a lock: services start in parallel, and
// another process may add its Velero to a stack it attached to.
func (s *Stack) update(ctx context.Context, change func(*state)) error {
	unlock, err := lockFile(ctx, filepath.Join(s.Dir, "state.lock"), func() {})
	if err != nil {
		return err
	}
	defer unlock()
	st, err := readState(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		st, err = &state{Services: map[string]*service{}}, nil
	}
	if err != nil {
		return err
	}
	change(st)
	return writeState(s.Dir, st)
}

func writeState(dir string, st *state) error {
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	next := stateFile(dir) + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, stateFile(dir))
}

func (s *Stack) record(ctx context.Context, svc *service) error {
	return s.update(ctx, func(st *state) {
		if _, known := st.Services[svc.Name]; !known {
			st.Order = append(st.Order, svc.Name)
		}
		st.Services[svc.Name] = svc
	})
}

func (s *Stack) service(name string) (*service, error) {
	st, err := readState(s.Dir)
	if err != nil {
		return nil, err
	}
	svc, ok := st.Services[name]
	if !ok {
		return nil, fmt.Errorf("no component %q in this stack; it has %v", name, st.Order)
	}
	return svc, nil
}

// Service is one component of a stack as it is at the moment of asking.
type Service struct {
	Name, Health, Log string
	PID               int
	Running           bool
}

// Services lists what belongs to the stack, in the order in which it was started.
func (s *Stack) Services() ([]Service, error) {
	st, err := readState(s.Dir)
	if err != nil {
		return nil, err
	}
	var list []Service
	for _, name := range st.Order {
		svc := st.Services[name]
		list = append(list, Service{Name: name, Health: svc.Health, Log: svc.Log, PID: svc.PID, Running: svc.ours()})
	}
	return list, nil
}
