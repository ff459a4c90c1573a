package volumes

import (
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// contradiction compares the two files that name a native snapshot.
func (p *volumePlanner) contradiction(n volume.NativeSnapshot) string {
	id, info := n.Status.ProviderSnapshotID, p.facts.infos[n.Spec.PersistentVolumeName].Native
	switch {
	case !volume.IsEBSSnapshotID(id):
		return fmt.Sprintf("the list of snapshots gives it %q, which is no id of an EBS snapshot (snap-…); restore another backup", id)
	case n.Spec.BackupName != "" && n.Spec.BackupName != p.s.Archive.Backup:
		return fmt.Sprintf("the list of snapshots gives it one of backup %q; restore another backup", n.Spec.BackupName)
	case info != nil && info.SnapshotHandle != "" && info.SnapshotHandle != id:
		return fmt.Sprintf("the list of snapshots gives it %s, volumeinfo %s: the ids were mixed up; restore another backup", id, info.SnapshotHandle)
	}
	return ""
}

// snapshotSource is what a backup says that an EBS snapshot is of; "" is not known.
type snapshotSource struct {
	backup, pv string // by the tags that the snapshot would have
	disk       string // vol-…
}

func sourceOf(n volume.NativeSnapshot) snapshotSource {
	return snapshotSource{backup: n.Spec.BackupName, pv: n.Spec.PersistentVolumeName, disk: n.Spec.ProviderVolumeID}
}

// unfit says why no volume can be made of a snapshot, or "". The text follows the
// snapshot's name.
func (w snapshotSource) unfit(s ebs.Snapshot, found bool) (kind, text string) {
	differs := func(is, want string) bool { return is != "" && want != "" && is != want }
	const mixed = "the ids were mixed up; restore another backup"
	switch {
	case !found:
		return contract.ErrTypeNotFound, "does not exist or is not shared with this account; share it, or restore another backup"
	case s.State == ebs.SnapshotPending:
		return contract.ErrTypeInvalid, fmt.Sprintf("is not complete yet (%d %%); wait and restore again", s.Progress)
	case s.State != ebs.SnapshotCompleted:
		return contract.ErrTypeInvalid, fmt.Sprintf("cannot be used: its state is %q; restore another backup", s.State)
	case differs(s.Tags[ebs.TagBackup], w.backup):
		return contract.ErrTypeInvalid, fmt.Sprintf("is of backup %q by its tag %s, not of %q: %s", s.Tags[ebs.TagBackup], ebs.TagBackup, w.backup, mixed)
	case differs(s.Tags[ebs.TagPV], w.pv):
		return contract.ErrTypeInvalid, fmt.Sprintf("is of volume %q by its tag %s, not of %q: %s", s.Tags[ebs.TagPV], ebs.TagPV, w.pv, mixed)
	case s.VolumeID != restore.CopiedVolume && differs(s.VolumeID, w.disk):
		return contract.ErrTypeInvalid, fmt.Sprintf("was taken of %s, not of %s: %s", s.VolumeID, w.disk, mixed)
	}
	return "", ""
}
