package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// firesWithin is how long a schedule of every few seconds may take for two runs.
const firesWithin = 2 * time.Minute

// schedule makes one that fires every few seconds, and shows what garbage collection would do
// with two of its backups whose time is over.
func (t *story) schedule(ctx context.Context) error {
	t.s.step("Let a schedule do it, every five seconds")
	const name = "often"
	err := t.boat.run(ctx, t.s, "schedule", "create", name, "--schedule", "@every 5s", "--include-namespaces", t.shop.Shop(), "--ttl", "24h")
	if err != nil {
		return err
	}
	var ran []contract.ScheduleSlot
	err = t.s.during("wait for two runs", func() (err error) {
		ran, err = t.boat.awaitRuns(ctx, name, 2)
		return err
	})
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"schedule", "pause", name}, {"schedule", "get", name}} {
		if err := t.boat.run(ctx, t.s, args...); err != nil {
			return err
		}
	}
	t.s.step("What garbage collection would do, if the time of its first backups were over")
	for _, slot := range ran {
		if err := t.boat.run(ctx, t.s, "backup", "set-expiry", slot.Backup, "0s"); err != nil {
			return err
		}
	}
	return t.boat.run(ctx, t.s, "gc", "plan")
}

// awaitRuns waits until so many backups of a schedule are Completed, and gives the first ones.
func (l *lifeboat) awaitRuns(ctx context.Context, name string, n int) ([]contract.ScheduleSlot, error) {
	for deadline := time.Now().Add(firesWithin); ; {
		text, err := l.Run(ctx, "schedule", "describe", name, "-o", "json")
		if err != nil {
			return nil, err
		}
		var s contract.ScheduleStatus
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return nil, err
		}
		var ran []contract.ScheduleSlot
		for _, slot := range s.Slots {
			if slot.Outcome == contract.SlotRan && slot.Phase == "Completed" {
				ran = append(ran, slot)
			}
		}
		if len(ran) >= n {
			return ran[len(ran)-n:], nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("schedule %s has not fired %d times within %s: %+v", name, n, firesWithin, s.Slots)
		}
		if err := pause(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}
