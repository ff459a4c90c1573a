package ebssim

import (
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

func (s *Sim) deleteSnapshot(c *call) (any, error) {
	snap, err := s.snapshot(c, c.params.Get("SnapshotId"))
	if err != nil {
		return nil, err
	}
	if err := s.permit(c, grant{action: c.action, on: []target{s.snapshotTarget(snap)}}); err != nil {
		return nil, err
	}
	if snap.Owner != "" {
		return nil, &wire.Error{Status: 403, Code: "UnauthorizedOperation", Message: "You are not authorized to perform this operation."}
	}
	if snap.Lock.holds(c.now) {
		return nil, errLocked(snap.ID)
	}
	snap.Deleted, snap.Lingers = c.now, s.limits.lingersUntil(c.now)
	if keep := s.retention(snap); keep > 0 && snap.state(c.now) == stateCompleted {
		snap.BinExit = c.now.Add(keep)
	}
	if snap.Stuck || snap.Fails { // nothing is left to count against limits
		snap.Stuck, snap.Completes = false, c.now
	}
	if snap.gone(c.now) {
		return returned{Return: true}, s.forgetSnapshot(snap.ID)
	}
	return returned{Return: true}, s.journal.Put(kindSnapshot, snap.ID, snap)
}

// retention is how long the Recycle Bin keeps a snapshot, 0 if no rule does.
func (s *Sim) retention(snap *snapshot) time.Duration {
	keep := time.Duration(0)
	for _, rule := range s.recycleBin {
		applies := len(rule.Tags) == 0
		for key, value := range rule.Tags {
			if have, ok := snap.Tags[key]; ok && have == value {
				applies = true
			}
		}
		if applies {
			keep = max(keep, rule.Retain.D())
		}
	}
	return keep
}

type binXML struct {
	SnapshotID  string `xml:"snapshotId"`
	VolumeID    string `xml:"volumeId"`
	Entered     string `xml:"recycleBinEnterTime"`
	Exits       string `xml:"recycleBinExitTime"`
	Description string `xml:"description"`
}

// showsInBin says whether the Recycle Bin shows a snapshot: not at once when it is deleted, but while
// some calls still show it as if it were not.
func (s *Sim) showsInBin(c *call, snap *snapshot) bool {
	return snap.inBin() && !c.now.Before(snap.Deleted.Add(s.limits.Visibility.D()/2))
}

// binned finds a snapshot in the Recycle Bin.
func (s *Sim) binned(c *call, id string) (*snapshot, error) {
	if id == "" {
		return nil, errMissing("snapshotId")
	}
	snap, ok := s.snapshots[id]
	if !ok || !s.showsInBin(c, snap) {
		return nil, errSnapshotNotFound(id)
	}
	return snap, nil
}

func (s *Sim) listRecycleBin(c *call) (any, error) {
	if err := s.permit(c, grant{action: c.action}); err != nil {
		return nil, err
	}
	ids := c.params.List("SnapshotId")
	for _, id := range ids {
		if _, err := s.binned(c, id); err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		for id, snap := range s.snapshots {
			if s.showsInBin(c, snap) {
				ids = append(ids, id)
			}
		}
	}
	on, token, err := page(c.params, ids, 5, 1000)
	var out struct {
		Snapshots []binXML `xml:"snapshotSet>item"`
		Token     string   `xml:"nextToken,omitempty"`
	}
	out.Token = token
	for _, id := range on {
		snap := s.snapshots[id]
		out.Snapshots = append(out.Snapshots, binXML{
			SnapshotID: id, VolumeID: snap.VolumeID, Entered: wire.Time(snap.Deleted), Exits: wire.Time(snap.BinExit),
			Description: snap.Description,
		})
	}
	return out, err
}

func (s *Sim) restoreSnapshot(c *call) (any, error) {
	snap, err := s.binned(c, c.params.Get("SnapshotId"))
	if err != nil {
		return nil, err
	}
	if err := s.permit(c, grant{action: c.action, on: []target{s.snapshotTarget(snap)}}); err != nil {
		return nil, err
	}
	snap.Deleted, snap.Lingers, snap.BinExit = time.Time{}, time.Time{}, time.Time{}
	x := s.snapshotXML(c, snap)
	x.Tags = nil
	return x, s.journal.Put(kindSnapshot, snap.ID, snap)
}
