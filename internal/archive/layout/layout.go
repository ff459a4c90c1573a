// Package layout names the files in the bucket, as keys below a location's prefix. Nothing
// else builds a key of what outlives a run. docs/FORMAT.md lists them.
package layout

import "strings"

// Root directories below a location's prefix. Velero tolerates no others than
// its own, so what is ours alone lives below plugins/ (see docs/FORMAT.md).
const (
	BackupsDir  = "backups/"
	RestoresDir = "restores/"
	PluginDir   = "plugins/lifeboat/"
)

// Backup names the files of the backup of that name.
type Backup struct{ Name string }

// BackupDir is the directory of a backup, with its final slash.
func BackupDir(name string) string { return BackupsDir + name + "/" }

func (b Backup) fileKey(suffix string) string { return BackupDir(b.Name) + b.Name + suffix }

// Metadata is the Backup document. A backup exists if and only if it does.
func (b Backup) Metadata() string { return BackupDir(b.Name) + "velero-backup.json" }

// Tarball holds the objects.
func (b Backup) Tarball() string { return b.fileKey(".tar.gz") }

// Logs is the backup's log, gzip text.
func (b Backup) Logs() string { return b.fileKey("-logs.gz") }

// PodVolumeBackups lists file-level volume backups.
func (b Backup) PodVolumeBackups() string { return b.fileKey("-podvolumebackups.json.gz") }

// VolumeSnapshots lists native snapshots.
func (b Backup) VolumeSnapshots() string { return b.fileKey("-volumesnapshots.json.gz") }

// ItemOperations lists asynchronous operations.
func (b Backup) ItemOperations() string { return b.fileKey("-itemoperations.json.gz") }

// ResourceList maps kinds to names.
func (b Backup) ResourceList() string { return b.fileKey("-resource-list.json.gz") }

// Results holds warnings and errors.
func (b Backup) Results() string { return b.fileKey("-results.gz") }

// VolumeInfo tells how each volume was backed up.
func (b Backup) VolumeInfo() string { return b.fileKey("-volumeinfo.json.gz") }

// CSIVolumeSnapshots is read by Velero up to 1.16.
func (b Backup) CSIVolumeSnapshots() string { return b.fileKey("-csi-volumesnapshots.json.gz") }

// CSIVolumeSnapshotContents is read by Velero up to 1.16.
func (b Backup) CSIVolumeSnapshotContents() string {
	return b.fileKey("-csi-volumesnapshotcontents.json.gz")
}

// CSIVolumeSnapshotClasses is read by Velero up to 1.17.
func (b Backup) CSIVolumeSnapshotClasses() string {
	return b.fileKey("-csi-volumesnapshotclasses.json.gz")
}

// Index holds the index blocks and the directory. Ours.
func (b Backup) Index() string { return b.fileKey("-lifeboat-index.gz") }

// Manifest lists every file with its digest. Ours.
func (b Backup) Manifest() string { return b.fileKey("-lifeboat-manifest.json") }

// Restore names the files of the restore of that name.
type Restore struct{ Name string }

// Dir is the directory of the restore, with its final slash.
func (r Restore) Dir() string { return RestoresDir + r.Name + "/" }

// Logs is the restore's log, gzip text.
func (r Restore) Logs() string { return r.fileKey("-logs.gz") }

// Results holds warnings and errors.
func (r Restore) Results() string { return r.fileKey("-results.gz") }

// ResourceList maps kinds to names and what became of each.
func (r Restore) ResourceList() string { return r.fileKey("-resource-list.json.gz") }

// ItemOperations lists asynchronous operations.
func (r Restore) ItemOperations() string { return r.fileKey("-itemoperations.json.gz") }

// Document is the restore itself. It exists once the restore has ended. Ours.
func (r Restore) Document() string { return r.Dir() + r.Name + "-lifeboat-restore.json" }

// VolumeInfo tells how each volume was restored. It alone has no "restore-" in
// its name: Velero's habit.
func (r Restore) VolumeInfo() string { return r.Dir() + r.Name + "-volumeinfo.json.gz" }

func (r Restore) fileKey(suffix string) string {
	return r.Dir() + "restore-" + r.Name + suffix
}

// Staging is the directory of work in progress of the backup or restore of
// that UID, with its final slash.
func Staging(uid string) string { return StagingRoot + uid + "/" }

// NameLock is the file by which a running backup reserves its name.
func NameLock(backup string) string { return NameLockDir + backup + ".json" }

// ClusterName is the file that says which cluster a name of a cluster belongs to.
func ClusterName(cluster string) string { return ClustersDir + cluster + ".json" }

// TombstoneDir is the directory of the tombstones.
const TombstoneDir = PluginDir + "tombstones/"

// Tombstone is the file that says that a backup's deletion has begun.
func Tombstone(backup string) string { return TombstoneDir + backup + ".json" }

// RetentionDir is the directory of what people have said about how long backups are kept.
const RetentionDir = PluginDir + "retention/"

// RetentionKey is the file that says until when a backup is kept, or that it is held.
func RetentionKey(backup string) string { return RetentionDir + backup + ".json" }

// DeletionTryDir is the directory of the failed deletions of expired backups.
const DeletionTryDir = PluginDir + "deletions/"

// DeletionTryKey is the file that says since when an expired backup could not be deleted.
func DeletionTryKey(backup string) string { return DeletionTryDir + backup + ".json" }

// Schedules says where the schedules of a cluster lie, those of backups or those of drills:
// clusters that share a location run their own only.
type Schedules struct {
	Cluster string
	Drills  bool
}

// Dir is the directory of the definitions.
func (s Schedules) Dir() string { return s.root() + "schedules/" + s.Cluster + "/" }

// Key is the file with the definition of a schedule.
func (s Schedules) Key(schedule string) string { return s.Dir() + schedule + ".json" }

// RunsKey is the file that says what became of a schedule's due times.
func (s Schedules) RunsKey(schedule string) string {
	return s.root() + "schedule-runs/" + s.Cluster + "/" + schedule + ".json"
}

func (s Schedules) root() string {
	if s.Drills {
		return PluginDir + "drill-"
	}
	return PluginDir
}

// TurnsKey is the file that says which runs of schedules take a backup, and which wait.
func TurnsKey(cluster string) string { return PluginDir + "turns/" + cluster + ".json" }

// DrillRoot is the directory of the evidence of all clusters.
const DrillRoot = PluginDir + "drills/"

// DrillDir is the directory of the evidence of a cluster's restore drills.
func DrillDir(cluster string) string { return DrillRoot + cluster + "/" }

// RehearsalRoot is the directory of what rehearsals of all backups have found.
const RehearsalRoot = PluginDir + "rehearsal/"

// RehearsalDir is the directory of what rehearsals of a backup have found, with its final slash.
func RehearsalDir(backup string) string { return RehearsalRoot + backup + "/" }

// RehearsalKey is the file of what a rehearsal of the backup of that UID has found, in the
// version of Kubernetes that was asked for, "" being the worker's own. The level that was
// reached is part of it, so that a listing tells it without reading the file.
func RehearsalKey(backup, uid, version, level string) string {
	if version != "" {
		version = "+" + version
	}
	return RehearsalDir(backup) + uid + version + "." + level + ".json"
}

// ParseRehearsalKey is the inverse of RehearsalKey; false for any other key.
func ParseRehearsalKey(key string) (backup, uid, version, level string, ok bool) {
	rest, found := strings.CutPrefix(key, RehearsalRoot)
	backup, file, nested := strings.Cut(rest, "/")
	file, isJSON := strings.CutSuffix(file, ".json")
	i := strings.LastIndexByte(file, '.')
	if !found || !nested || !isJSON || i < 0 || strings.Contains(file, "/") {
		return "", "", "", "", false
	}
	level = file[i+1:]
	// A level has no dot, and a version of Kubernetes one: what is behind the last plus sign.
	uid, version, _ = strings.Cut(file[:i], "+")
	return backup, uid, version, level, backup != "" && uid != ""
}

// SeriesDir is the directory of what is remembered of changes between backups.
const SeriesDir = PluginDir + "changes/"

// SeriesKey is the file that remembers what changed between the backups of a series.
func SeriesKey(cluster, series string) string {
	return SeriesDir + cluster + "/" + series + ".json"
}

// VerificationRoot is the directory of what verifications have found.
const VerificationRoot = PluginDir + "verification/"

// VerificationDir is the directory of what verifications of a backup have found, with its
// final slash.
func VerificationDir(backup string) string { return VerificationRoot + backup + "/" }

// PlanKey is the file that holds a restore's plan.
func PlanKey(restore string) string { return PluginDir + "plans/" + restore + ".json.gz" }

// CatalogRoot is the directory of the catalog entries of all backups.
const CatalogRoot = PluginDir + "catalog/"

// CatalogDir is the directory of a backup's catalog entry, with its final slash.
func CatalogDir(backup string) string { return CatalogRoot + backup + "/" }

// SeenKey is the file that says what the search for orphans has seen of a location.
const SeenKey = PluginDir + "garbage/seen.json"

// StagingRoot is the directory of the staging of all runs, and NameLockDir that of the names that
// running backups have reserved.
const (
	StagingRoot = PluginDir + "staging/"
	NameLockDir = PluginDir + "claims/"
	ClustersDir = PluginDir + "clusters/"
)
