package location

import (
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// CopiedVolume is what EC2 says a copied snapshot was taken of.
const CopiedVolume = "vol-ffffffff"

// SnapshotSource is what a backup says that an EBS snapshot is of; "" is not known.
type SnapshotSource struct {
	Backup, PV string // by the tags that the snapshot would have
	Disk       string // vol-…
}

// WhyUnfit says why no volume can be made of a snapshot, or "". kind is a type of package
// contract; the text follows the snapshot's name.
func (w SnapshotSource) WhyUnfit(s ebs.Snapshot, found bool) (kind, text string) {
	differs := func(is, want string) bool { return is != "" && want != "" && is != want }
	const mixed = "the ids were mixed up; restore another backup"
	switch {
	case !found:
		return contract.ErrTypeNotFound, "does not exist or is not shared with this account; share it, or restore another backup"
	case s.State == ebs.SnapshotPending:
		return contract.ErrTypeInvalid, fmt.Sprintf("is not complete yet (%d %%); wait and restore again", s.Progress)
	case s.State != ebs.SnapshotCompleted:
		return contract.ErrTypeInvalid, fmt.Sprintf("cannot be used: its state is %q; restore another backup", s.State)
	case s.Archived:
		return contract.ErrTypeInvalid, "is in the archive tier, where no volume can be made of it; restore it from there first (aws ec2 restore-snapshot-tier), which takes up to 72 hours"
	case differs(s.Tags[ebs.TagBackup], w.Backup):
		return contract.ErrTypeInvalid, fmt.Sprintf("is of backup %q by its tag %s, not of %q: %s", s.Tags[ebs.TagBackup], ebs.TagBackup, w.Backup, mixed)
	case differs(s.Tags[ebs.TagPV], w.PV):
		return contract.ErrTypeInvalid, fmt.Sprintf("is of volume %q by its tag %s, not of %q: %s", s.Tags[ebs.TagPV], ebs.TagPV, w.PV, mixed)
	case s.VolumeID != CopiedVolume && differs(s.VolumeID, w.Disk):
		return contract.ErrTypeInvalid, fmt.Sprintf("was taken of %s, not of %s: %s", s.VolumeID, w.Disk, mixed)
	}
	return "", ""
}
