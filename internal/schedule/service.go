package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// Service keeps the schedules of the configuration's cluster: those of its backups, or of its
// drills.
type Service struct {
	Drills    bool // those of drills
	Config    *config.Config
	Locations *repository.Locations
	Temporal  Temporal
	// Policies reads the resource policies that a template names; nil means nobody does.
	Policies func(ctx context.Context, template *velerov1.BackupSpec) error
	// Log is told when the configuration takes the place of a schedule; nil means nobody is.
	Log *slog.Logger
	// Now is the clock; nil means the machine's.
	Now func() time.Time
}

// now is the time in whole seconds, as documents have it.
func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC().Truncate(time.Second)
	}
	return time.Now().UTC().Truncate(time.Second)
}

func (s *Service) warn(text, name, remedy string) {
	if s.Log != nil {
		s.Log.Warn(text, "schedule", name, "remedy", remedy)
	}
}

// Temporal is what starts the runs.
type Temporal interface {
	// Ensure makes Temporal's schedule as d says, if it is not so yet, and starts no run.
	Ensure(ctx context.Context, d Desired) error
	// Names are the schedules of the cluster that Temporal has. One that was made or deleted
	// just now may be missing or left.
	Names(ctx context.Context) ([]string, error)
	// Delete deletes one; none is no error.
	Delete(ctx context.Context, name string) error
	// Running tells that a run goes on. One that Temporal does not know does not.
	Running(ctx context.Context, run contract.Run) (bool, error)
	// Ended is when a run has ended, zero where Temporal does not know it or it goes on.
	Ended(ctx context.Context, run contract.Run) (time.Time, error)
}

// Desired is a schedule as Temporal should have it.
type Desired struct {
	Name   string
	Drills bool
	// Timing is due between From and Until.
	Timing      timing.Timing
	From, Until time.Time

	Jitter    time.Duration
	CatchUp   time.Duration
	BufferOne bool
	Paused    bool
	Note      string
	// Revision differs between any two that differ.
	Revision string
}

// place is where they lie in the store.
func (s *Service) place() layout.Schedules {
	return layout.Schedules{Cluster: s.Config.Cluster, Drills: s.Drills}
}

// words are how people know the schedules.
type words struct {
	command    string // of the program
	configured string // the field of the worker's configuration
}

func (s *Service) words() words {
	if s.Drills {
		return words{"drill schedule", "drills.schedules"}
	}
	return words{"schedule", "schedules"}
}

// definitions is the store of the definitions.
func (s *Service) definitions(ctx context.Context) (store.Store, error) {
	_, st, err := s.Locations.Writable(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("definitions of schedules lie in the default storage location: %w", err)
	}
	return st, nil
}

func (s *Service) unknown(name string) error {
	return failure.NotFound("no schedule %q; `lifeboat %s get` lists them", name, s.words().command)
}
