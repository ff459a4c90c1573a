package ebssim

import "time"

// settled is when all calls know something in the same way: as long after it becomes visible as
// that took, or at once where calls agree.
func (c *call) settled(made, visible time.Time) time.Time {
	if c.steady {
		return visible
	}
	return visible.Add(visible.Sub(made))
}

// shows says whether a call finds what becomes visible then. Until it has settled, the answers
// of EC2 differ from call to call: here every second call does not find it.
func (c *call) shows(made, visible time.Time) bool {
	return !c.now.Before(c.settled(made, visible)) || !c.now.Before(visible) && c.number%2 == 0
}

// stillShows says whether a call that only looks finds what was deleted: until then every second one.
func (c *call) stillShows(until time.Time) bool { return c.now.Before(until) && c.number%2 == 0 }

func (c *call) showsVolume(v *volume) bool {
	return c.shows(v.Created, v.Visible) && (!v.isGone(c.now) || c.stillShows(v.Lingers))
}

func (c *call) showsSnapshot(snap *snapshot) bool {
	return c.shows(snap.Started, snap.Visible) && (snap.Deleted.IsZero() || c.stillShows(snap.Lingers))
}

// isGone says that a volume was deleted or has vanished by itself.
func (v *volume) isGone(now time.Time) bool { return !v.Vanishes.IsZero() && !now.Before(v.Vanishes) }

// knownTags are the tags that filters know: those of something new later than its id.
func (c *call) knownTags(made, visible time.Time, tags map[string]string) map[string]string {
	if c.now.Before(c.settled(made, visible)) {
		return nil
	}
	return tags
}
