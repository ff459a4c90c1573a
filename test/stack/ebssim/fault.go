package ebssim

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// The effects of faults.
const (
	// EffectError answers with the fault's Code.
	EffectError = "error"
	// EffectThrottle answers RequestLimitExceeded.
	EffectThrottle = "throttle"
	// EffectDropBefore closes the connection without doing the work.
	EffectDropBefore = "drop-before"
	// EffectDropAfter does the work and closes the connection without an answer.
	EffectDropAfter = "drop-after"
	// EffectDelay waits for Delay, then works as usual, if the client still waits.
	EffectDelay = "delay"
	// EffectLate waits for Delay, then works, whether or not the client still waits.
	EffectLate = "late"
	// EffectSnapshotError lets a new snapshot end in state error.
	EffectSnapshotError = "snapshot-error"
	// EffectSnapshotStuck keeps a new snapshot pending until the admin API moves it.
	EffectSnapshotStuck = "snapshot-stuck"
	// EffectVolumeStuck keeps a new volume creating for ever.
	EffectVolumeStuck = "volume-stuck"
	// EffectVolumeVanishes makes a new volume, which is gone when it should be available: as
	// EC2 does without a word where the key may not be used.
	EffectVolumeVanishes = "volume-vanishes"
)

// Fault is something that goes wrong on purpose. It hits calls that match all of
// Action, Volume and Tags.
type Fault struct {
	ID string `json:"id"`
	// Action may have wildcards; empty is any.
	Action string `json:"action,omitempty"`
	// Volume is the id of a volume that the call names, or whose snapshot it names.
	Volume string `json:"volume,omitempty"`
	// Tags are those that the call sets, or that what it names has.
	Tags   map[string]string `json:"tags,omitempty"`
	Effect string            `json:"effect"`
	// Code, Status and Message are of EffectError; the status is 400 if it is 0.
	Code    string   `json:"code,omitempty"`
	Status  int      `json:"status,omitempty"`
	Message string   `json:"message,omitempty"`
	Delay   Duration `json:"delay,omitempty"`
	// Times is how often it hits, For how long it is there; 0 is without end.
	Times int      `json:"times,omitempty"`
	For   Duration `json:"for,omitempty"`
	// Hits counts.
	Hits int `json:"hits"`

	until time.Time
}

func (f *Fault) validate() error {
	known := []string{
		EffectError, EffectThrottle, EffectDropBefore, EffectDropAfter, EffectDelay, EffectLate, EffectSnapshotError, EffectSnapshotStuck,
		EffectVolumeStuck, EffectVolumeVanishes,
	}
	switch {
	case !slices.Contains(known, f.Effect):
		return fmt.Errorf("fault.effect: %q is none of %v", f.Effect, known)
	case f.Effect == EffectError && f.Code == "":
		return errors.New("fault.code: name the error code")
	case (f.Effect == EffectDelay || f.Effect == EffectLate) && f.Delay <= 0:
		return errors.New("fault.delay: say how long")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("fault.status: %d is no error", f.Status)
	}
	return nil
}

// AddFault adds a fault and returns it with its id.
func (s *Sim) AddFault(f Fault) (Fault, error) {
	if err := f.validate(); err != nil {
		return Fault{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextFault++
	f.ID, f.Hits = fmt.Sprintf("fault-%d", s.nextFault), 0
	if f.For > 0 {
		f.until = s.clock.Now().Add(f.For.D())
	}
	s.faults = append(s.faults, &f)
	return f, nil
}

// Faults are all that were added and not removed, spent ones included.
func (s *Sim) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Fault{}
	for _, f := range s.faults {
		out = append(out, *f)
	}
	return out
}

// RemoveFault removes one, or all if the id is empty. It says if there was one.
func (s *Sim) RemoveFault(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.faults)
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return id == "" || f.ID == id })
	return len(s.faults) < before
}
