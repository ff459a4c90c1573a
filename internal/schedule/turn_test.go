package schedule_test

import (
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
)

// TestTurnsOfAnotherLocation: runs whose location does not answer hold up those that need the same one, and
// nobody else.
func TestTurnsOfAnotherLocation(t *testing.T) {
	w := newWorld(t)
	stores := repositorytest.Stores{"default": w.st, "mute": nil}
	locations := repositorytest.Locations(stores)
	cfg := locations.Config()
	cfg.Limits.ConcurrentBackups = 2
	w.Service = &schedule.Service{Config: cfg, Locations: locations, Temporal: w.temporal, Now: func() time.Time { return w.clock }}
	take := func(id, location string) contract.Turn {
		t.Helper()
		turn, err := w.TakeTurn(t.Context(), contract.TakeTurnInput{Schedule: id, Due: at("2026-03-01T01:00:00Z"), Run: run(id), Location: location})
		if err != nil {
			t.Fatal(err)
		}
		w.temporal.running[id] = true
		return turn
	}
	if !take("a", "mute").Taken || !take("b", "mute").Taken {
		t.Error("there is room for two")
	}
	if turn := take("c", "mute"); turn.Taken || turn.Ahead != 2 {
		t.Errorf("a third one for the location that does not answer: %+v", turn)
	}
	if !take("d", "").Taken || !take("e", "default").Taken || take("f", "default").Taken {
		t.Error("two for the other location have a turn, and no third")
	}
	stores["mute"] = repositorytest.Holding() // it answers again: who has a turn keeps it
	if !take("d", "").Taken || take("f", "default").Taken {
		t.Error("the wrong ones have a turn")
	}
}

// TestQueueIsTold: whoever looks at a schedule sees that its run waits for others, and why.
func TestQueueIsTold(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c"} { // two take a backup at a time
		w.apply(daily(name, cron("0 2 * * *")))
		begun := w.begin(name, "2026-03-02T02:00:00Z", "2026-03-02T02:00:00Z")
		if _, err := w.TakeTurn(t.Context(), contract.TakeTurnInput{Schedule: name, Due: begun.Slot.Due, Run: begun.Slot.Run}); err != nil {
			t.Fatal(err)
		}
	}
	want := "it waits for its turn behind 2 others: at most 2 runs of schedules take a backup at a time (limits.concurrentBackups)"
	if a, c := w.status("a").Slots[0], w.status("c").Slots[0]; a.Reason != "" || c.Outcome != contract.SlotRunning || c.Reason != want {
		t.Errorf("%+v\n%+v", a, c)
	}
}
