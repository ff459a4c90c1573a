package ebssim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

type snapshotXML struct {
	SnapshotID  string     `xml:"snapshotId"`
	VolumeID    string     `xml:"volumeId"`
	Status      string     `xml:"status"`
	Message     string     `xml:"statusMessage,omitempty"`
	Started     string     `xml:"startTime"`
	Completed   string     `xml:"completionTime,omitempty"`
	Progress    string     `xml:"progress"`
	Owner       string     `xml:"ownerId"`
	Size        int        `xml:"volumeSize"`
	Bytes       int64      `xml:"fullSnapshotSizeInBytes,omitempty"`
	Description string     `xml:"description"`
	Encrypted   bool       `xml:"encrypted"`
	KMSKeyID    string     `xml:"kmsKeyId,omitempty"`
	Tier        string     `xml:"storageTier"`
	Tags        []wire.Tag `xml:"tagSet>item,omitempty"`
}

// snapshot finds one to work with: visible and not deleted.
func (s *Sim) snapshot(c *call, id string) (*snapshot, error) {
	snap, err := s.listedSnapshot(c, id)
	if err == nil && !snap.Deleted.IsZero() {
		return nil, errSnapshotNotFound(id)
	}
	return snap, err
}

// listedSnapshot finds one that this call shows.
func (s *Sim) listedSnapshot(c *call, id string) (*snapshot, error) {
	if id == "" {
		return nil, errMissing("snapshotId")
	}
	if !strings.HasPrefix(id, "snap-") {
		return nil, wire.Invalid("InvalidSnapshotID.Malformed", "The snapshot ID '%s' is malformed", id)
	}
	snap, ok := s.snapshots[id]
	if !ok || !c.showsSnapshot(snap) {
		return nil, errSnapshotNotFound(id)
	}
	return snap, nil
}

func (s *Sim) describeSnapshots(c *call) (any, error) {
	if err := s.permit(c, grant{action: c.action}); err != nil {
		return nil, err
	}
	wanted, err := filters(c.params, snapshotFilters()...)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(wanted, func(a, b filter) int { return cmp.Compare(b.tagRank(), a.tagRank()) })
	found, err := s.snapshotsOf(c, c.params.List("SnapshotId"))
	if err != nil {
		return nil, err
	}
	var matching []string
	owners := c.params.List("Owner")
	for _, snap := range found {
		if s.isOf(owners, snap) && matches(wanted, func() fields { return s.snapshotFields(c, snap, wanted) }, c.knownTags(snap.Started, snap.Visible, snap.tagsShown())) {
			matching = append(matching, snap.ID)
		}
	}
	on, token, err := page(c.params, matching, 5, 1000)
	if err != nil {
		return nil, err
	}
	out := struct {
		Snapshots []snapshotXML `xml:"snapshotSet>item"`
		Token     string        `xml:"nextToken,omitempty"`
	}{Token: token}
	for _, id := range on {
		out.Snapshots = append(out.Snapshots, s.snapshotXML(c, s.snapshots[id]))
	}
	return out, nil
}

// isOf says if the owners that a request asks for include that of a snapshot.
func (s *Sim) isOf(owners []string, snap *snapshot) bool {
	return len(owners) == 0 || slices.Contains(owners, s.ownerOf(snap)) || snap.Owner == "" && slices.Contains(owners, "self")
}

// ownerOf is the account of a snapshot.
func (s *Sim) ownerOf(snap *snapshot) string { return cmp.Or(snap.Owner, s.options.AccountID) }

// snapshotsOf is those of the ids, or all that are listed.
func (s *Sim) snapshotsOf(c *call, ids []string) ([]*snapshot, error) {
	var found []*snapshot
	for _, id := range ids {
		snap, err := s.listedSnapshot(c, id)
		if err != nil {
			return nil, err
		}
		found = append(found, snap)
	}
	if len(ids) > 0 {
		return found, nil
	}
	for _, snap := range s.snapshots {
		if c.showsSnapshot(snap) {
			found = append(found, snap)
		}
	}
	return found, nil
}

func snapshotFilters() []string {
	return []string{
		"description", "encrypted", "owner-alias", "owner-id", "progress", "snapshot-id", "start-time", "status",
		"storage-tier", "volume-id", "volume-size",
	}
}

// snapshotFields are those that the filters ask for: an account has thousands of snapshots. None
// has an owner-alias.
func (s *Sim) snapshotFields(c *call, snap *snapshot, wanted []filter) fields {
	out := fields{}
	for _, f := range wanted {
		if f.name != "owner-alias" {
			out[f.name] = []string{s.snapshotField(c, snap, f.name)}
		}
	}
	return out
}

func (s *Sim) snapshotField(c *call, snap *snapshot, name string) string {
	switch name {
	case "description":
		return snap.Description
	case "encrypted":
		return fmt.Sprint(snap.Encrypted)
	case "owner-id":
		return s.ownerOf(snap)
	case "progress":
		return percent(snap.progress(c.now))
	case "snapshot-id":
		return snap.ID
	case "start-time":
		return wire.Time(snap.Started)
	case "status":
		return snap.state(c.now)
	case "storage-tier":
		return snap.tier()
	case "volume-id":
		return snap.VolumeID
	default: // volume-size
		return fmt.Sprint(snap.SizeGiB)
	}
}

func (s *Sim) snapshotXML(c *call, snap *snapshot) snapshotXML {
	x := snapshotXML{
		SnapshotID: snap.ID, VolumeID: snap.VolumeID, Status: snap.state(c.now), Message: snap.message(c.now),
		Started: wire.Time(snap.Started), Progress: percent(snap.progress(c.now)), Owner: s.ownerOf(snap),
		Size: snap.SizeGiB, Description: snap.Description, Encrypted: snap.Encrypted, KMSKeyID: snap.KMSKeyID,
		Tier: snap.tier(), Tags: tagSet(snap.tagsShown()),
	}
	if x.Status == stateCompleted {
		x.Completed, x.Bytes = wire.Time(snap.Completes), snap.Bytes
	}
	return x
}
