package schedule

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// TakeTurn queues a run, and tells whether it may begin its backup: at most
// limits.concurrentBackups runs of schedules do at a time, the oldest due time first. It may
// repeat. Runs that are gone give their turn up, and those that wait for a location that does not
// answer hold nobody up who needs another one.
func (s *Service) TakeTurn(ctx context.Context, in contract.TakeTurnInput) (contract.Turn, error) {
	st, err := s.definitions(ctx)
	if err != nil {
		return contract.Turn{}, err
	}
	location := in.Location
	if bsl, err := s.Config.Location(location); err == nil { // else the backup says what is wrong with it
		location = bsl.Name
	}
	var turn contract.Turn
	err = repository.ChangeTurns(ctx, st, s.Config.Cluster, func(t *repository.Turns) (bool, error) {
		changed := false
		if !slices.ContainsFunc(t.Runs, func(o repository.TurnOf) bool { return o.Run.Is(in.Run) }) {
			t.Runs = append(t.Runs, repository.TurnOf{Schedule: in.Schedule, Due: in.Due, Run: in.Run, Location: location})
			changed = true
		}
		sortTurns(t)
		i := indexOfRun(t, in.Run)
		if gone, err := s.dropGone(ctx, t, i); err != nil {
			return false, err
		} else if gone {
			i, changed = indexOfRun(t, in.Run), true
		}
		ahead := s.countAhead(ctx, t.Runs[:i], location)
		turn = contract.Turn{Taken: t.Runs[i].Taken || ahead < s.Config.Limits.ConcurrentBackups, Ahead: ahead}
		changed = changed || turn.Taken != t.Runs[i].Taken
		t.Runs[i].Taken = turn.Taken
		return changed, nil
	})
	return turn, err
}

// countAhead are the runs that one for a location has to wait for: not those whose own location is
// another one that does not answer, for they may wait for hours.
func (s *Service) countAhead(ctx context.Context, ahead []repository.TurnOf, location string) int {
	n, mute := 0, map[string]bool{}
	if len(ahead) < s.Config.Limits.ConcurrentBackups {
		return len(ahead) // nothing has to be asked
	}
	for _, o := range ahead {
		if o.Location == "" || o.Location == location {
			n++
			continue
		}
		if _, known := mute[o.Location]; !known {
			bsl, err := s.Config.Location(o.Location)
			mute[o.Location] = err == nil && s.Locations.Reach(ctx, bsl) != nil
		}
		if !mute[o.Location] {
			n++
		}
	}
	return n
}

// sortTurns puts those that have a turn first, then the oldest due time.
func sortTurns(t *repository.Turns) {
	slices.SortStableFunc(t.Runs, func(a, b repository.TurnOf) int {
		if a.Taken != b.Taken {
			if a.Taken {
				return -1
			}
			return 1
		}
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Schedule, b.Schedule))
	})
}

func indexOfRun(t *repository.Turns, run contract.Run) int {
	return slices.IndexFunc(t.Runs, func(o repository.TurnOf) bool { return o.Run.Is(run) })
}

// dropGone removes those before i whose runs have ended.
func (s *Service) dropGone(ctx context.Context, t *repository.Turns, i int) (bool, error) {
	gone := map[string]bool{}
	for _, o := range t.Runs[:i] {
		running, err := s.Temporal.Running(ctx, o.Run)
		if err != nil {
			return false, err
		}
		if !running {
			gone[o.Run.RunID] = true
		}
	}
	t.Runs = slices.DeleteFunc(t.Runs, func(o repository.TurnOf) bool { return gone[o.Run.RunID] })
	return len(gone) > 0, nil
}

// tellTurns says of the runs that go on which wait for their turn, and for how many others.
func (s *Service) tellTurns(ctx context.Context, st store.Store, slots []contract.ScheduleSlot) error {
	if !slices.ContainsFunc(slots, func(slot contract.ScheduleSlot) bool { return slot.Outcome == contract.SlotRunning }) {
		return nil
	}
	turns, err := repository.ReadTurns(ctx, st, s.Config.Cluster)
	if err != nil {
		return err
	}
	sortTurns(turns)
	for i := range slots {
		slot := &slots[i]
		if at := indexOfRun(turns, slot.Run); slot.Outcome == contract.SlotRunning && at >= 0 && !turns.Runs[at].Taken {
			slot.Reason = fmt.Sprintf("it waits for its turn behind %d others: at most %d runs of schedules take a backup at a time (limits.concurrentBackups)", at, s.Config.Limits.ConcurrentBackups)
		}
	}
	return nil
}

func (s *Service) giveTurnBack(ctx context.Context, st store.Store, run contract.Run) error {
	return repository.ChangeTurns(ctx, st, s.Config.Cluster, func(t *repository.Turns) (bool, error) {
		i := indexOfRun(t, run)
		if i < 0 {
			return false, nil
		}
		t.Runs = slices.Delete(t.Runs, i, i+1)
		return true, nil
	})
}
