package ebssim

import (
	"fmt"
	"sync"
	"time"
)

// Clock tells the simulator what time it is. Everything that takes time (a
// snapshot's progress, limits, expiry) is derived from it when somebody asks.
type Clock interface{ Now() time.Time }

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

// ManualClock stands still until a test moves it.
type ManualClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewManualClock starts at the real time, so that signatures and tokens made by
// the real clock are valid.
func NewManualClock() *ManualClock { return &ManualClock{now: time.Now()} }

// Now is the time that the clock shows.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *ManualClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Duration is a time.Duration that JSON shows as "1m30s".
type Duration time.Duration

// D is the time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// MarshalText writes it as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.D().String()), nil }

// UnmarshalText reads "250ms", "15s", "1h".
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("duration %q: want a number with a unit, as 250ms or 15s", text)
	}
	*d = Duration(parsed)
	return nil
}
