package orphan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// orphans are all that a look has found, each with the reason why it stays.
func (l *look) orphans(ctx context.Context) []contract.Orphan {
	var rows []contract.Orphan
	for _, s := range l.snapshots {
		rows = appendFound(rows, l.orphanOfSnapshot(s))
	}
	for _, v := range l.volumes {
		rows = appendFound(rows, l.orphanOfVolume(v))
	}
	for _, p := range l.places {
		for i := range p.runs {
			rows = appendFound(rows, l.orphanOfRun(p, &p.runs[i]))
		}
		for _, d := range p.loose {
			rows = appendFound(rows, l.orphanOfDirectory(p, d))
		}
		for _, u := range p.uploads {
			rows = appendFound(rows, l.orphanOfUpload(p, u))
		}
	}
	for _, c := range l.contents {
		rows = appendFound(rows, l.orphanOfContent(c))
	}
	for _, vs := range l.volumeSnapshots {
		rows = appendFound(rows, l.orphanOfVolumeSnapshot(vs))
	}
	for _, c := range l.copies {
		rows = appendFound(rows, l.orphanOfCopy(c))
	}
	return append(rows, l.orphansOfLocations()...)
}

func appendFound(rows []contract.Orphan, found *contract.Orphan) []contract.Orphan {
	if found == nil {
		return rows
	}
	return append(rows, *found)
}

// orphanOfSnapshot is nil for one that is named, or is not this cluster's.
func (l *look) orphanOfSnapshot(s snapshot) *contract.Orphan {
	if s.Tags[ebs.TagCluster] != l.cluster || !isOurs(s.Snapshot) || l.names.of(s.Snapshot) != "" || l.held[s.ID] {
		return nil
	}
	row := contract.Orphan{
		Kind: contract.OrphanSnapshot, ID: s.ID, SnapshotLocation: s.at, Cluster: l.cluster,
		Backup: s.Tags[ebs.TagBackup], UID: s.BackupUID(), Since: s.Started, SizeGiB: s.SizeGiB,
		CSI: s.Tags[ebs.TagBackupUID] == "",
	}
	p := l.placeOf(s.Tags[ebs.TagPlace])
	if p == nil {
		row.Reason = "the storage location of its backup could not be read"
		return &row
	}
	row.Location = p.name
	row.Reason = cmp.Or(l.names.doubt(s.Snapshot), l.unseen(), p.whyMissing(row.UID, row.Backup), l.whyKept(p), p.whyDoubtful(l.now.Add(-l.Grace)), l.young(s.Started))
	return &row
}

// orphanOfVolume is reported and stays: what a run that ended has left goes with the run, and
// any other volume may be one that a user has kept.
func (l *look) orphanOfVolume(v disk) *contract.Orphan {
	uid, p := v.Tags[ebs.TagRestoreUID], l.placeOf(v.Tags[ebs.TagPlace])
	if v.Tags[ebs.TagCluster] != l.cluster || uid == "" || v.State != ebs.VolumeAvailable || l.attached == nil || l.attached[v.ID] || l.names.runs[uid] != "" || p == nil {
		return nil
	}
	return &contract.Orphan{
		Kind: contract.OrphanVolume, ID: v.ID, Location: p.name, SnapshotLocation: v.at, Cluster: l.cluster, UID: uid, SizeGiB: v.SizeGiB,
		Reason: "restored, and no PersistentVolume has it any more: delete it by hand if nobody has kept it on purpose",
	}
}

// orphanOfRun is nil for a run that may go on.
func (l *look) orphanOfRun(p *place, r *run) *contract.Orphan {
	row := r.owner()
	row.Kind, row.ID, row.Location = contract.OrphanRun, r.UID, p.name
	row.Cluster = cmp.Or(row.Cluster, p.clusterOnly())
	switch known := r.Run.WorkflowID != ""; {
	case row.Cluster == "":
		row.Reason = "it is not known which cluster began it"
	case row.Cluster != l.cluster, r.UID == "", known && !r.ended && r.doubt == "":
		return nil
	case r.doubt != "":
		row.Reason = "it is not known whether the run goes on: " + r.doubt
	case known && row.Cluster != l.Cluster:
		row.Reason = "only a worker of cluster " + row.Cluster + " can clean up after it, or one that takes the name over (replacesCluster)"
	default:
		row.Reason = cmp.Or(p.readOnlyText(), p.alien, p.whyMissing(row.UID, row.Backup), l.young(r.Written))
	}
	return &row
}

// orphanOfDirectory is nil for one that Velero made.
func (l *look) orphanOfDirectory(p *place, d directory) *contract.Orphan {
	row := contract.Orphan{
		Kind: contract.OrphanDirectory, ID: layout.BackupDir(d.name), Location: p.name, Cluster: cmp.Or(d.cluster, p.clusterOnly()),
		Backup: d.name, UID: d.uid, Since: d.written,
	}
	switch {
	case !d.ours, row.Cluster != "" && row.Cluster != l.cluster:
		return nil
	case row.Cluster == "":
		row.Reason = "it is not known which cluster made it"
	default:
		row.Reason = cmp.Or(p.whyMissing(d.uid, d.name), l.whyKept(p), l.young(d.written))
	}
	return &row
}

// orphanOfUpload is nil for one of a run that has files in progress, with which it goes, and
// for one that may be Velero's.
func (l *look) orphanOfUpload(p *place, u store.Upload) *contract.Orphan {
	row := contract.Orphan{Kind: contract.OrphanUpload, ID: u.Key, Location: p.name, Cluster: p.clusterOnly(), Since: u.Started}
	row.UID, row.Backup = ownerOfKey(u.Key)
	if p.isBusy(row.UID, row.Backup) || row.UID == "" && !p.isOurs(row.Backup, u.Key) || row.Cluster != "" && row.Cluster != l.cluster {
		return nil
	}
	if row.Cluster == "" {
		row.Reason = "it is not known which cluster began it"
	} else {
		row.Reason = cmp.Or(p.readOnlyText(), p.alien, l.young(u.Started))
	}
	return &row
}

// ownerOfKey is the UID of the run in whose staging a key is, or the backup in whose directory.
func ownerOfKey(key string) (uid, backup string) {
	if rest, ok := strings.CutPrefix(key, layout.StagingRoot); ok {
		uid, _, _ = strings.Cut(rest, "/")
	} else if rest, ok := strings.CutPrefix(key, layout.BackupsDir); ok {
		backup, _, _ = strings.Cut(rest, "/")
	}
	return uid, backup
}

// isBusy tells whether a run, or a deletion, works on what is called so.
func (p *place) isBusy(uid, backup string) bool {
	for _, r := range p.runs {
		if uid != "" && r.UID == uid || backup != "" && r.Backup == backup {
			return true
		}
	}
	return p.deleting[backup] != nil
}

// isOurs tells whether an upload in the directory of a backup is Lifeboat's: by its key, or
// because the backup is.
func (p *place) isOurs(backup, key string) bool {
	files := layout.Backup{Name: backup}
	if backup == "" || key == files.Index() || key == files.Manifest() {
		return backup != ""
	}
	for _, b := range p.backups {
		if b.Name == backup {
			return b.Ours
		}
	}
	for _, d := range p.loose {
		if d.name == backup {
			return d.ours
		}
	}
	return false
}

// orphanOfContent is nil for one that a VolumeSnapshot needs, or that no restore of ours made.
func (l *look) orphanOfContent(c Content) *contract.Orphan {
	if !c.Loose || c.Restore == "" {
		return nil
	}
	for _, p := range l.places {
		if p.hasRestore(c.Restore) {
			return nil
		}
	}
	return &contract.Orphan{
		Kind: contract.OrphanContent, ID: c.Name, UID: c.UID, Cluster: l.cluster, Restore: c.Restore, Since: c.Created,
		Reason: cmp.Or(l.unseen(), l.young(c.Created)),
	}
}

// young says that something is not older than the grace period.
func (l *look) young(since time.Time) string {
	if end := since.Add(l.Grace); l.now.Before(end) {
		return "goes after the grace period, at " + end.UTC().Format(time.RFC3339)
	}
	return ""
}

// unseen says that a part of the bucket or of the cluster, which may name things, was not seen.
func (l *look) unseen() string {
	if len(l.unnamed) > 0 {
		return "what may name it could not be read: " + l.unnamed[0]
	}
	return ""
}

func (p *place) readOnlyText() string {
	if p.readOnly {
		return "the storage location is ReadOnly"
	}
	return ""
}

// whyKept says why what no backup of a place names stays all the same.
func (l *look) whyKept(p *place) string {
	switch {
	case p.readOnly:
		return p.readOnlyText()
	case p.alien != "":
		return p.alien
	case p.seen == nil:
		return "the storage location is searched for the first time; goes after the grace period"
	case len(p.backups) == 0 && len(p.missing) > 0:
		return fmt.Sprintf("the storage location lists no backup, and had %d at %s: put their files back, or say of each that it went on purpose: %s",
			len(p.missing), p.seen.At.UTC().Format(time.RFC3339), p.wordsToDelete(p.missing[0]))
	case p.seen.Known == nil && len(p.backups) < p.seen.Backups:
		return fmt.Sprintf("the storage location lists %d of the %d backups that an older worker has counted at %s: put their files back, or remove %s from the bucket if they were deleted on purpose",
			len(p.backups), p.seen.Backups, p.seen.At.UTC().Format(time.RFC3339), layout.SeenKey)
	case l.now.Before(p.seen.Since.Add(l.Grace)):
		return "the storage location is searched since " + p.seen.Since.UTC().Format(time.RFC3339) + " only; goes after the grace period"
	}
	return ""
}

// whyMissing says that something may be of a backup that was listed before, and is gone though
// Lifeboat did not delete it. What tells no backup, neither by a UID nor by a name, may be of each.
func (p *place) whyMissing(uid, backup string) string {
	for _, b := range p.missing {
		if uid == b.UID || uid == "" && (backup == b.Name || backup == "") {
			return fmt.Sprintf("backup %s was in storage location %s and is gone without a deletion: put its files back, or say that it went on purpose: %s", b.Name, p.name, p.wordsToDelete(b))
		}
	}
	return ""
}

// wordsToDelete are those by which a person says that a backup went on purpose. A later backup of
// the name would be deleted by them.
func (p *place) wordsToDelete(b beside.KnownBackup) string {
	if slices.ContainsFunc(p.backups, func(e repository.BackupEntry) bool { return e.Name == b.Name }) {
		return "another backup has the name by now, so delete it in EC2 by hand"
	}
	words := "lifeboat backup delete " + b.Name + " --storage-location " + p.name
	if b.Cluster != "" {
		words += " --cluster " + b.Cluster
	}
	return words
}

// whyDoubtful says that a run of which too little is known may have made things since.
func (p *place) whyDoubtful(since time.Time) string {
	for _, r := range p.runs {
		if r.Run.WorkflowID == "" && r.Written.After(since) {
			return "it is not known what run " + r.UID + " has made"
		}
	}
	return ""
}
