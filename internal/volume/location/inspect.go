package location

import (
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Inspect says what WhyUnfit says in the words of volume.Inspector. A snapshot that is pending,
// or in the archive tier, is not lost: its data is there.
func (w SnapshotSource) Inspect(s ebs.Snapshot, found bool) volume.Inspection {
	_, text := w.WhyUnfit(s, found)
	switch {
	case !found:
		return volume.Inspection{Presence: volume.Absent, Reason: text}
	case text == "":
		return volume.Inspection{Presence: volume.Present, EBS: volume.EBSSnapshot{ID: s.ID, SizeGiB: s.SizeGiB}}
	case s.State == ebs.SnapshotPending, s.Archived:
		return volume.Inspection{Presence: volume.Unchecked, Reason: text}
	}
	return volume.Inspection{Presence: volume.Unfit, Reason: text}
}
