package ebssim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/iam"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
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
	// EffectDelay waits for Delay, then works as usual.
	EffectDelay = "delay"
	// EffectSnapshotError lets a new snapshot end in state error.
	EffectSnapshotError = "snapshot-error"
	// EffectSnapshotStuck keeps a new snapshot pending until the admin API moves it.
	EffectSnapshotStuck = "snapshot-stuck"
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
		EffectError, EffectThrottle, EffectDropBefore, EffectDropAfter, EffectDelay, EffectSnapshotError, EffectSnapshotStuck,
	}
	switch {
	case !slices.Contains(known, f.Effect):
		return fmt.Errorf("fault.effect: %q is none of %v", f.Effect, known)
	case f.Effect == EffectError && f.Code == "":
		return errors.New("fault.code: name the error code")
	case f.Effect == EffectDelay && f.Delay <= 0:
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

// effects is what the faults do to a call.
type effects struct {
	delay                 time.Duration
	dropBefore, dropAfter bool
	err                   error
}

// effects counts a hit of every fault that applies. Those on snapshots wait for
// inject.
func (s *Sim) effects(c *call) effects {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = s.clock.Now()
	var out effects
	if len(s.faults) == 0 {
		return out
	}
	about := s.subject(c.params)
	for _, f := range s.faults {
		if f.Effect == EffectSnapshotError || f.Effect == EffectSnapshotStuck || !f.hits(c.now, c.action, about) {
			continue
		}
		f.Hits++
		out.add(f)
	}
	return out
}

func (e *effects) add(f *Fault) {
	switch f.Effect {
	case EffectDelay:
		e.delay += f.Delay.D()
	case EffectDropBefore:
		e.dropBefore = true
	case EffectDropAfter:
		e.dropAfter = true
	case EffectThrottle:
		e.err = throttled()
	case EffectError:
		status := f.Status
		if status == 0 {
			status = http.StatusBadRequest
		}
		e.err = &wire.Error{Status: status, Code: f.Code, Message: f.Message}
	}
}

// subject is what a call is about, for faults that match on it.
type subject struct {
	volumes []string
	tags    []map[string]string
}

func (f *Fault) hits(now time.Time, action string, about subject) bool {
	spent := f.Times > 0 && f.Hits >= f.Times || !f.until.IsZero() && !now.Before(f.until)
	if spent || f.Action != "" && !iam.Match(f.Action, action) {
		return false
	}
	if f.Volume != "" && !slices.Contains(about.volumes, f.Volume) {
		return false
	}
	return len(f.Tags) == 0 || slices.ContainsFunc(about.tags, func(have map[string]string) bool {
		for key, value := range f.Tags {
			if got, ok := have[key]; !ok || got != value {
				return false
			}
		}
		return true
	})
}

// inject lets a new snapshot fail or hang, if a fault says so.
func (s *Sim) inject(snap *snapshot) {
	about := subject{volumes: []string{snap.VolumeID}, tags: []map[string]string{snap.Tags}}
	if v, ok := s.volumes[snap.VolumeID]; ok {
		about.tags = append(about.tags, v.Tags)
	}
	for _, f := range s.faults {
		onSnapshots := f.Effect == EffectSnapshotError || f.Effect == EffectSnapshotStuck
		if !onSnapshots || !f.hits(snap.Started, "CreateSnapshot", about) && !f.hits(snap.Started, "CreateSnapshots", about) {
			continue
		}
		f.Hits++
		snap.Fails = snap.Fails || f.Effect == EffectSnapshotError
		snap.Stuck = snap.Stuck || f.Effect == EffectSnapshotStuck
	}
}

func (s *Sim) subject(p wire.Params) subject {
	var about subject
	for _, id := range append(p.List("VolumeId"), p.Get("VolumeId")) {
		about.addVolume(s.volumes[id])
	}
	for _, id := range append(p.List("SnapshotId"), p.Get("SnapshotId"), p.Get("SourceSnapshotId")) {
		if snap, ok := s.snapshots[id]; ok {
			about.volumes = append(about.volumes, snap.VolumeID)
			about.tags = append(about.tags, snap.Tags)
		}
	}
	if instance := p.Get("InstanceSpecification.InstanceId"); instance != "" {
		for _, v := range s.volumes {
			if v.attachedTo(instance) != nil {
				about.addVolume(v)
			}
		}
	}
	for _, spec := range append(p.Groups("TagSpecification"), p) {
		set := map[string]string{}
		for _, tag := range spec.Tags() {
			set[tag.Key] = tag.Value
		}
		about.tags = append(about.tags, set)
	}
	return about
}

func (s *subject) addVolume(v *volume) {
	if v != nil {
		s.volumes = append(s.volumes, v.ID)
		s.tags = append(s.tags, v.Tags)
	}
}
