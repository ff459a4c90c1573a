package ebssim

import (
	"net/http"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// effects is what the faults do to a call.
type effects struct {
	delay, late           time.Duration
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
		if f.onResource() || !f.hits(c.now, c.action, about) {
			continue
		}
		f.Hits++
		out.add(f)
	}
	return out
}

// onResource says that the fault is in what a call makes: it waits for inject or hang.
func (f *Fault) onResource() bool {
	return f.Effect == EffectSnapshotError || f.Effect == EffectSnapshotStuck || f.onVolume()
}

func (f *Fault) onVolume() bool {
	return f.Effect == EffectVolumeStuck || f.Effect == EffectVolumeVanishes
}

// never is when a volume that is stuck is ready.
const never = 100 * 365 * 24 * time.Hour

// vanishesAfter is for how long EC2 shows a volume at least whose key may not be used.
const vanishesAfter = 3 * time.Second

// vanish lets a new volume go by itself, before it is ready.
func (v *volume) vanish() {
	v.Vanishes = v.Ready
	if shown := v.Visible.Add(vanishesAfter); v.Vanishes.Before(shown) {
		v.Vanishes = shown
	}
	v.Ready = v.Created.Add(never)
}

// hang keeps a new volume creating, for ever or until it vanishes, if a fault says so. One whose
// key may not be used vanishes.
func (s *Sim) hang(v *volume, keyUsable bool) {
	if !keyUsable {
		v.vanish()
		return
	}
	for _, f := range s.faults {
		if !f.onVolume() || !f.hits(v.Created, "CreateVolume", subject{tags: []map[string]string{v.Tags}}) {
			continue
		}
		f.Hits++
		if f.Effect == EffectVolumeVanishes {
			v.vanish()
			continue
		}
		v.Ready = v.Created.Add(never)
	}
}

func (e *effects) add(f *Fault) {
	switch f.Effect {
	case EffectDelay:
		e.delay += f.Delay.D()
	case EffectLate:
		e.late += f.Delay.D()
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
	if spent || f.Action != "" && !evaluation.Match(f.Action, action) {
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
