package repository

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Where the definition of a schedule comes from.
const (
	SourceCLI    = "cli"
	SourceConfig = "config" // the worker's configuration
)

// ScheduleDefinition is a schedule of a cluster. It lies in the bucket, so that a Temporal that
// was lost gets its schedules again.
type ScheduleDefinition struct {
	contract.Schedule
	Cluster string `json:"cluster"`
	// UID tells it from an earlier one of the name.
	UID    string `json:"uid"`
	Source string `json:"source"`
	// PausedByHand holds whatever its document says, until somebody ends the pause.
	PausedByHand bool `json:"pausedByHand,omitempty"`
	// PausedSince is set while it is paused.
	PausedSince time.Time `json:"pausedSince,omitzero"`
	Created     time.Time `json:"created"`
	Changed     time.Time `json:"changed"`
	// ChangedBy is the run that changed it last.
	ChangedBy string `json:"changedBy,omitempty"`
	// Replaced is the schedule that was made by hand and whose place the configuration has taken.
	Replaced *contract.Schedule `json:"replaced,omitempty"`
	// Returned is set where it has its place again, paused, until somebody says more.
	Returned bool `json:"returned,omitempty"`
	// Damaged is set where the document could not be read.
	Damaged bool `json:"-"`
}

// place is where it lies.
func (d *ScheduleDefinition) place() layout.Schedules {
	return layout.Schedules{Cluster: d.Cluster, Drills: d.Drill != nil}
}

// isOf tells that it says to be the schedule of that name and place.
func (d *ScheduleDefinition) isOf(of layout.Schedules, name string) bool {
	return d.Name == name && d.place() == of
}

// Paused tells that no run is started.
func (d *ScheduleDefinition) Paused() bool { return d.PausedByHand || d.Spec.Paused }

// Write writes d in place of what lies there.
func (d *ScheduleDefinition) Write(ctx context.Context, st store.Store) error {
	return PutJSON(ctx, st, d.place().Key(d.Name), d, store.PutOptions{})
}

// ReadSchedules reads the definitions of a cluster, by name. A damaged one is told by itself.
func ReadSchedules(ctx context.Context, st store.Store, of layout.Schedules) (map[string]*ScheduleDefinition, error) {
	var names []string
	err := st.List(ctx, of.Dir(), func(i store.Info) error {
		if name, ok := strings.CutSuffix(path.Base(i.Key), ".json"); ok && i.Key == of.Key(name) && archive.ValidateName(name) == nil {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	damaged := func(name string) *ScheduleDefinition {
		return &ScheduleDefinition{Schedule: contract.Schedule{Name: name}, Cluster: of.Cluster, Source: SourceCLI, Damaged: true}
	}
	all, err := ReadDocuments(ctx, st, names, of.Key, damaged)
	for name, d := range all {
		if !d.Damaged && !d.isOf(of, name) {
			all[name] = damaged(name)
		}
	}
	return all, err
}

// ReadSchedule reads one definition; store.ErrNotFound where there is none.
func ReadSchedule(ctx context.Context, st store.Store, of layout.Schedules, name string) (*ScheduleDefinition, error) {
	key := of.Key(name)
	d := new(ScheduleDefinition)
	if err := GetJSON(ctx, st, key, d); err != nil {
		return nil, err
	}
	if !d.isOf(of, name) {
		return nil, fmt.Errorf("%s is of schedule %q of cluster %q: %w", key, d.Name, d.Cluster, archive.ErrCorrupt)
	}
	return d, nil
}

// DeleteSchedule removes a definition with the record of its runs. What they have made stays. It
// may repeat.
func DeleteSchedule(ctx context.Context, st store.Store, of layout.Schedules, name string) error {
	for _, key := range []string{of.Key(name), of.RunsKey(name)} {
		if err := st.Delete(ctx, key); err != nil {
			return fmt.Errorf("remove %s: %w", key, err)
		}
	}
	return nil
}

// slotsKept is how many due times a schedule remembers one by one: three years of a daily one,
// six weeks of an hourly one. Older ones are counted only.
const slotsKept = 1000

// ScheduleRuns is what became of the due times of a schedule.
type ScheduleRuns struct {
	Name string `json:"name"`
	UID  string `json:"uid"` // of the definition
	// Accounted is up to when each due time has an outcome, or a run that goes on.
	Accounted time.Time `json:"accounted"`
	// Counts are how many had each outcome, triggered runs apart.
	Counts map[string]int64 `json:"counts,omitempty"`
	// Slots are the last ones, in order.
	Slots []contract.ScheduleSlot `json:"slots,omitempty"`
	// LastSuccess is the last whose backup is Completed, or whose drill has passed.
	LastSuccess *contract.ScheduleSlot `json:"lastSuccess,omitempty"`
	// Longest is how long the longest run took, in nanoseconds.
	Longest time.Duration `json:"longest,omitempty"`
}

// Find is the slot of a due time, nil where none is remembered.
func (r *ScheduleRuns) Find(due time.Time) *contract.ScheduleSlot {
	i, ok := r.search(due)
	if !ok {
		return nil
	}
	return &r.Slots[i]
}

func (r *ScheduleRuns) search(due time.Time) (int, bool) {
	return slices.BinarySearchFunc(r.Slots, due, func(s contract.ScheduleSlot, due time.Time) int { return s.Due.Compare(due) })
}

// Note remembers what became of a due time. An outcome counts once.
func (r *ScheduleRuns) Note(s contract.ScheduleSlot) {
	i, known := r.search(s.Due)
	switch {
	case known:
		r.count(r.Slots[i], -1)
		r.Slots[i] = s
	case len(r.Slots) == slotsKept && i == 0:
		return // older than all that is remembered
	default:
		r.Slots = slices.Insert(r.Slots, i, s)
	}
	r.count(s, 1)
	if s.Succeeded() && (r.LastSuccess == nil || r.LastSuccess.Started.Before(s.Started)) {
		r.LastSuccess = &s
	}
	if !s.Ended.IsZero() && !s.Started.IsZero() {
		r.Longest = max(r.Longest, s.Ended.Sub(s.Started))
	}
	r.Slots = r.Slots[max(0, len(r.Slots)-slotsKept):]
}

func (r *ScheduleRuns) count(s contract.ScheduleSlot, n int64) {
	if s.Triggered {
		return
	}
	if r.Counts == nil {
		r.Counts = map[string]int64{}
	}
	r.Counts[s.Outcome] += n
	if r.Counts[s.Outcome] <= 0 {
		delete(r.Counts, s.Outcome)
	}
}

// ReadScheduleRuns reads what became of the due times of a definition. What is damaged, or of
// an earlier schedule of the name, is as if nothing were there.
func ReadScheduleRuns(ctx context.Context, st store.Store, d *ScheduleDefinition) (*ScheduleRuns, error) {
	r := new(ScheduleRuns)
	err := GetJSON(ctx, st, d.place().RunsKey(d.Name), r)
	if err != nil && !errors.Is(err, store.ErrNotFound) && !archive.IsDamaged(err) {
		return nil, err
	}
	r.belongTo(d, err)
	return r, nil
}

func (r *ScheduleRuns) belongTo(d *ScheduleDefinition, err error) {
	inOrder := slices.IsSortedFunc(r.Slots, func(a, b contract.ScheduleSlot) int { return a.Due.Compare(b.Due) })
	if err != nil || r.UID != d.UID || r.Name != d.Name || !inOrder {
		*r = ScheduleRuns{Name: d.Name, UID: d.UID, Accounted: d.Changed}
	}
}

// ChangeScheduleRuns changes what is known of the due times of a definition. change may be
// called again, if somebody else was faster; nothing is written if it says so.
func ChangeScheduleRuns(ctx context.Context, st store.Store, d *ScheduleDefinition, change func(*ScheduleRuns) (bool, error)) error {
	return changeDocument(ctx, st, d.place().RunsKey(d.Name), func(r *ScheduleRuns) (bool, error) {
		r.belongTo(d, nil)
		return change(r)
	})
}

// Turns are the runs of schedules that take a backup, and those that wait.
type Turns struct {
	Runs []TurnOf `json:"runs,omitempty"`
}

// TurnOf is a run in the queue.
type TurnOf struct {
	Schedule string       `json:"schedule"`
	Due      time.Time    `json:"due"`
	Run      contract.Run `json:"run"`
	Taken    bool         `json:"taken,omitempty"`
	// Location is where the backup is to be stored, "" for a run of an earlier version.
	Location string `json:"location,omitempty"`
}

// ReadTurns reads who takes a backup and who waits; of a damaged document nobody does.
func ReadTurns(ctx context.Context, st store.Store, cluster string) (*Turns, error) {
	t := new(Turns)
	err := GetJSON(ctx, st, layout.TurnsKey(cluster), t)
	switch {
	case errors.Is(err, store.ErrNotFound) || archive.IsDamaged(err):
		return new(Turns), nil
	case err != nil:
		return nil, err
	}
	return t, nil
}

// ChangeTurns changes who takes a backup, as ChangeScheduleRuns does.
func ChangeTurns(ctx context.Context, st store.Store, cluster string, change func(*Turns) (bool, error)) error {
	return changeDocument(ctx, st, layout.TurnsKey(cluster), change)
}

// changeTries bounds how often a change begins anew because others were faster: a cluster has
// few runs of schedules at a time.
const changeTries = 20

// changeDocument reads a document, has it changed, and writes it if nobody else has meanwhile;
// where a store honours no conditions, the last one stays. A damaged document is replaced.
func changeDocument[T any](ctx context.Context, st store.Store, key string, change func(*T) (bool, error)) error {
	var err error
	for range changeTries {
		doc := new(T)
		o := store.PutOptions{}
		o.IfMatch, err = GetVersion(ctx, st, key, doc)
		switch {
		case errors.Is(err, store.ErrNotFound):
			o.IfAbsent = true
		case archive.IsDamaged(err):
			doc, o.IfMatch = new(T), ""
		case err != nil:
			return err
		}
		changed, err := change(doc)
		if err != nil || !changed {
			return err
		}
		err = PutJSON(ctx, st, key, doc, o)
		if !errors.Is(err, store.ErrChanged) && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return fmt.Errorf("change %s: others were faster %d times: %w", key, changeTries, err)
}
