package ebssim

import (
	"cmp"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// lock is a snapshot lock. CoolOff is when a compliance lock becomes final.
type lock struct {
	Mode    string    `json:"mode"`
	Days    int       `json:"days"`
	Created time.Time `json:"created"`
	CoolOff time.Time `json:"coolOff,omitzero"`
	Hours   int       `json:"coolOffHours,omitempty"`
	Expires time.Time `json:"expires"`
}

const (
	lockGovernance = "governance"
	lockCompliance = "compliance"
	maxLockDays    = 36500
	maxCoolOff     = 72 // hours
)

// errLocked has a code that AWS does not publish; see README.md.
func errLocked(id string) error {
	return wire.Invalid("SnapshotLocked", "The snapshot '%s' is locked and cannot be deleted.", id)
}

func (l *lock) holds(now time.Time) bool { return l != nil && now.Before(l.Expires) }

// final says if nobody can take the lock off.
func (l *lock) final(now time.Time) bool {
	return l.holds(now) && l.Mode == lockCompliance && !now.Before(l.CoolOff)
}

func (l *lock) state(now time.Time) string {
	switch {
	case !l.holds(now):
		return "expired"
	case l.Mode == lockCompliance && now.Before(l.CoolOff):
		return "compliance-cooloff"
	}
	return l.Mode
}

func (s *Sim) lockSnapshot(c *call) (any, error) {
	snap, err := s.snapshot(c, c.params.Get("SnapshotId"))
	if err != nil {
		return nil, err
	}
	next, err := newLock(c)
	if err != nil {
		return nil, err
	}
	if err := s.permit(c, grant{action: c.action, on: []target{s.snapshotTarget(snap)}}); err != nil {
		return nil, err
	}
	if snap.Lock.final(c.now) && (next.Mode != lockCompliance || next.Expires.Before(snap.Lock.Expires)) {
		return nil, errState("The snapshot '%s' is locked in compliance mode: the lock can only be extended", snap.ID)
	}
	snap.Lock = next
	return s.lockXML(c, snap), s.journal.Put(kindSnapshot, snap.ID, snap)
}

func newLock(c *call) (*lock, error) {
	l := &lock{Mode: c.params.Get("LockMode"), Created: c.now}
	if l.Mode != lockGovernance && l.Mode != lockCompliance {
		return nil, errValue("Value (%s) for parameter lockMode is invalid", l.Mode)
	}
	if err := l.until(c); err != nil {
		return nil, err
	}
	hours, err := c.params.Int("CoolOffPeriod")
	if err != nil || hours == nil {
		return l, err
	}
	if l.Mode != lockCompliance {
		return nil, errCombination("CoolOffPeriod can only be used with lock mode compliance")
	}
	if *hours < 1 || *hours > maxCoolOff {
		return nil, errValue("CoolOffPeriod must be between 1 and %d", maxCoolOff)
	}
	l.Hours, l.CoolOff = *hours, c.now.Add(time.Duration(*hours)*time.Hour)
	return l, nil
}

// until reads LockDuration in days or ExpirationDate.
func (l *lock) until(c *call) error {
	days, err := c.params.Int("LockDuration")
	date := c.params.Get("ExpirationDate")
	switch {
	case err != nil:
		return err
	case (days == nil) == (date == ""):
		return errCombination("Specify either LockDuration or ExpirationDate")
	case days == nil:
		l.Expires, err = time.Parse(time.RFC3339, date)
		if err != nil || !l.Expires.After(c.now) {
			return errValue("Value (%s) for parameter expirationDate is invalid", date)
		}
		l.Days = int(l.Expires.Sub(c.now) / (24 * time.Hour))
		return nil
	case *days < 1 || *days > maxLockDays:
		return errValue("LockDuration must be between 1 and %d", maxLockDays)
	}
	l.Days, l.Expires = *days, c.now.Add(time.Duration(*days)*24*time.Hour)
	return nil
}

func (s *Sim) unlockSnapshot(c *call) (any, error) {
	snap, err := s.snapshot(c, c.params.Get("SnapshotId"))
	if err != nil {
		return nil, err
	}
	if err := s.permit(c, grant{action: c.action, on: []target{s.snapshotTarget(snap)}}); err != nil {
		return nil, err
	}
	if snap.Lock == nil {
		return nil, errState("The snapshot '%s' is not locked", snap.ID)
	}
	if snap.Lock.final(c.now) {
		return nil, errState("The snapshot '%s' is locked in compliance mode and its cooling-off period has ended", snap.ID)
	}
	snap.Lock = nil
	return struct {
		ID string `xml:"snapshotId"`
	}{snap.ID}, s.journal.Put(kindSnapshot, snap.ID, snap)
}

type lockXML struct {
	Owner      string `xml:"ownerId,omitempty"`
	SnapshotID string `xml:"snapshotId"`
	State      string `xml:"lockState"`
	Days       int    `xml:"lockDuration"`
	Hours      int    `xml:"coolOffPeriod,omitempty"`
	CoolOff    string `xml:"coolOffPeriodExpiresOn,omitempty"`
	Created    string `xml:"lockCreatedOn"`
	Starts     string `xml:"lockDurationStartTime"`
	Expires    string `xml:"lockExpiresOn"`
}

func (s *Sim) lockXML(c *call, snap *snapshot) lockXML {
	l := snap.Lock
	return lockXML{
		SnapshotID: snap.ID, State: l.state(c.now), Days: l.Days, Hours: l.Hours, CoolOff: wire.Time(l.CoolOff),
		Created: wire.Time(l.Created), Starts: cmp.Or(wire.Time(snap.Started), wire.Time(l.Created)), Expires: wire.Time(l.Expires),
	}
}

func (s *Sim) describeLocked(c *call) (any, error) {
	if err := s.permit(c, grant{action: c.action}); err != nil {
		return nil, err
	}
	wanted, err := filters(c.params, "lock-state")
	if err != nil {
		return nil, err
	}
	found, err := s.snapshotsOf(c, c.params.List("SnapshotId"))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, snap := range found {
		if snap.Lock != nil && matches(wanted, func() fields { return fields{"lock-state": {snap.Lock.state(c.now)}} }, snap.Tags) {
			ids = append(ids, snap.ID)
		}
	}
	on, token, err := page(c.params, ids, 5, 1000)
	var out struct {
		Snapshots []lockXML `xml:"snapshotSet>item"`
		Token     string    `xml:"nextToken,omitempty"`
	}
	out.Token = token
	for _, id := range on {
		x := s.lockXML(c, s.snapshots[id])
		x.Owner = s.options.AccountID
		out.Snapshots = append(out.Snapshots, x)
	}
	return out, err
}
