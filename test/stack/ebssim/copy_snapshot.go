package ebssim

import (
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/tree"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// copySnapshot copies within the account and Region, the only ones there are.
func (s *Sim) copySnapshot(c *call) (any, error) {
	if region := c.params.Get("SourceRegion"); region != s.options.Region {
		return nil, errValue("Invalid source region: %s", region)
	}
	from, err := s.snapshot(c, c.params.Get("SourceSnapshotId"))
	if err != nil {
		return nil, err
	}
	tags, err := newTags(c.params, "snapshot")
	if err != nil {
		return nil, err
	}
	made := target{kind: "snapshot", id: "*", keys: map[string]string{"ec2:Owner": s.options.AccountID}}
	if err := s.permit(c, created(c, tags, made, s.snapshotTarget(from))...); err != nil {
		return nil, err
	}
	if state := from.state(c.now); state != stateCompleted {
		return nil, errState("Snapshot '%s' is in state '%s', not 'completed'", from.ID, state)
	}
	snap, err := s.copied(c, from, tags)
	if err != nil {
		return nil, err
	}
	return struct {
		ID   string     `xml:"snapshotId"`
		Tags []wire.Tag `xml:"tagSet>item,omitempty"`
	}{snap.ID, tagSet(snap.Tags)}, nil
}

// copied makes the copy. As in EC2 its volume id means nothing.
func (s *Sim) copied(c *call, from *snapshot, tags map[string]string) (*snapshot, error) {
	v := &volume{SizeGiB: from.SizeGiB, Encrypted: from.Encrypted, KMSKeyID: from.KMSKeyID}
	if err := s.encrypt(c.params, v, from); err != nil {
		return nil, err
	}
	if pending, _ := s.pendingSnapshots(c.now); s.limits.PendingPerAccount > 0 && pending >= s.limits.PendingPerAccount {
		return nil, errPending(s.limits.PendingPerAccount)
	}
	snap := s.snapshotOf(c, v)
	snap.VolumeID, snap.Tags = "vol-ffffffffffffffff", tags
	var err error
	if snap.Bytes, err = tree.Copy(s.snapshotDir(from.ID), s.snapshotDir(snap.ID)); err != nil {
		return nil, err
	}
	s.inject(snap)
	s.snapshots[snap.ID] = snap
	return snap, s.journal.Put(kindSnapshot, snap.ID, snap)
}
