package monitoring

import (
	"context"
	"errors"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Reader reads the state of a cluster.
type Reader struct {
	Cluster   string
	Locations *repository.Locations
	// Schedules and DrillSchedules give the figures of the schedules of backups, and of drills, that
	// are not paused.
	Schedules, DrillSchedules func(context.Context) ([]schedule.Measure, error)
	// Orphans looks for what nothing names any more, and changes nothing.
	Orphans func(context.Context) (contract.OrphanPlan, error)
	// Expired plans a collection, and changes nothing.
	Expired func(context.Context) (contract.GarbagePlan, error)
	// Now is the clock; nil means the machine's.
	Now func() time.Time
}

func (r *Reader) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// stored is what storage locations have, by location.
type stored map[string]*location

// location is what one storage location has of the cluster. reached is false where it could
// not be read; what was known of it before is kept then.
type location struct {
	reached bool
	// phases counts backups.
	phases map[string]int64
	// last are the last good backups, by schedule; "" is of none.
	last map[string]lastBackup
	// verified is when a backup was read back last, and proven when one was rehearsed, by level.
	verified time.Time
	proven   map[string]time.Time
	restore  lastRestore
	drill    lastDrill
}

type lastBackup struct {
	started, completed time.Time
	objects, volumes   int64
}

type lastRestore struct{ started, completed time.Time }

// lastDrill is the last drill that has passed; the zero time is none.
type lastDrill struct {
	asked time.Time
	rto   time.Duration
}

// mostDrills is how many files are read for a drill that has passed. Each tells of the forty drills
// before it, so that a year of daily failures does not hide it.
const mostDrills = 40

// readStored reads what all storage locations have. Of one that cannot be read the answer has
// what is known in before.
func (r *Reader) readStored(ctx context.Context, before stored) (stored, error) {
	all, err := repository.AskAll(ctx, r.Locations, "", repository.SearchTimeout, func(ctx context.Context, a repository.Answer[*location]) (*location, error) {
		return r.readLocation(ctx, a)
	})
	if err != nil {
		return nil, err
	}
	out := stored{}
	for _, a := range all {
		out[a.Location.Name] = a.Value
		if a.Err == nil {
			continue
		}
		old := location{}
		if known := before[a.Location.Name]; known != nil {
			old = *known
		}
		old.reached = false
		out[a.Location.Name] = &old
	}
	return out, nil
}

func (r *Reader) readLocation(ctx context.Context, a repository.Answer[*location]) (*location, error) {
	l := &location{reached: true, phases: map[string]int64{}, last: map[string]lastBackup{}, proven: map[string]time.Time{}}
	listing := a.Listing()
	listing.Proofs, listing.Lost = true, true
	for after := ""; ; {
		page, next, err := listing.Page(ctx, after)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if e := &page[i]; e.Cluster == "" || e.Cluster == r.Cluster {
				l.add(e)
			}
		}
		if next == "" {
			return l, errors.Join(l.readRestores(ctx, a.Store), l.readDrills(ctx, a.Store, r.Cluster))
		}
		after = next
	}
}

// add counts a backup. One that was found to be damaged is not a good one, whatever it was.
func (l *location) add(e *repository.BackupEntry) {
	phase := string(e.Phase)
	if e.Corrupt {
		phase = contract.VerificationCorrupt
	}
	l.phases[phase]++
	if e.Verified.After(l.verified) {
		l.verified = e.Verified
	}
	if e.Proof.At.After(l.proven[e.Proof.Level]) {
		l.proven[e.Proof.Level] = e.Proof.At
	}
	if phase == string(velerov1.BackupPhaseCompleted) && e.Started.After(l.last[e.Schedule()].started) {
		l.last[e.Schedule()] = lastBackup{started: e.Started, completed: e.Completed, objects: e.Objects, volumes: int64(e.Snapshots)}
	}
}

// readRestores finds the last restore that has gone well.
func (l *location) readRestores(ctx context.Context, st store.Store) error {
	names, err := st.Dirs(ctx, layout.RestoresDir)
	if err != nil {
		return fmt.Errorf("list restores: %w", err)
	}
	docs, err := repository.ReadDocuments(ctx, st, names, repository.RestoreDocumentKey, func(string) *velerov1.Restore { return &velerov1.Restore{} })
	for _, d := range docs {
		s := d.Status
		if s.Phase == velerov1.RestorePhaseCompleted && s.StartTimestamp != nil && s.CompletionTimestamp != nil && s.StartTimestamp.After(l.restore.started) {
			l.restore = lastRestore{started: s.StartTimestamp.UTC(), completed: s.CompletionTimestamp.UTC()}
		}
	}
	return err
}

// readDrills finds the last drill that has passed.
func (l *location) readDrills(ctx context.Context, st store.Store, cluster string) error {
	f, err := drills.LastPassed(ctx, st, cluster, mostDrills)
	if err != nil || f == nil {
		return err
	}
	p := &f.Evidence.Statement.Predicate
	l.drill.asked = p.Drill.Asked.Time()
	l.drill.rto = p.TimeToProof().Duration()
	return nil
}
