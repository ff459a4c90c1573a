package archive

import "strings"

// Root directories below a location's prefix. Velero tolerates no others than
// its own, so what is ours alone lives below plugins/ (see docs/FORMAT.md).
const (
	BackupsDir  = "backups/"
	RestoresDir = "restores/"
	PluginDir   = "plugins/lifeboat/"
)

// Layout names the files of one backup, as keys below the location's prefix.
type Layout struct{ Backup string }

// BackupDir is the directory of a backup, with its final slash.
func BackupDir(name string) string { return BackupsDir + name + "/" }

func (l Layout) fileKey(suffix string) string { return BackupDir(l.Backup) + l.Backup + suffix }

// Metadata is the Backup document. A backup exists if and only if it does.
func (l Layout) Metadata() string { return BackupDir(l.Backup) + "velero-backup.json" }

// Tarball holds the objects.
func (l Layout) Tarball() string { return l.fileKey(".tar.gz") }

// Logs is the backup's log, gzip text.
func (l Layout) Logs() string { return l.fileKey("-logs.gz") }

// PodVolumeBackups lists file-level volume backups.
func (l Layout) PodVolumeBackups() string { return l.fileKey("-podvolumebackups.json.gz") }

// VolumeSnapshots lists native snapshots.
func (l Layout) VolumeSnapshots() string { return l.fileKey("-volumesnapshots.json.gz") }

// ItemOperations lists asynchronous operations.
func (l Layout) ItemOperations() string { return l.fileKey("-itemoperations.json.gz") }

// ResourceList maps kinds to names.
func (l Layout) ResourceList() string { return l.fileKey("-resource-list.json.gz") }

// Results holds warnings and errors.
func (l Layout) Results() string { return l.fileKey("-results.gz") }

// VolumeInfo tells how each volume was backed up.
func (l Layout) VolumeInfo() string { return l.fileKey("-volumeinfo.json.gz") }

// CSIVolumeSnapshots is read by Velero up to 1.16.
func (l Layout) CSIVolumeSnapshots() string { return l.fileKey("-csi-volumesnapshots.json.gz") }

// CSIVolumeSnapshotContents is read by Velero up to 1.16.
func (l Layout) CSIVolumeSnapshotContents() string {
	return l.fileKey("-csi-volumesnapshotcontents.json.gz")
}

// CSIVolumeSnapshotClasses is read by Velero up to 1.17.
func (l Layout) CSIVolumeSnapshotClasses() string {
	return l.fileKey("-csi-volumesnapshotclasses.json.gz")
}

// Index holds the index blocks and the directory. Ours.
func (l Layout) Index() string { return l.fileKey("-lifeboat-index.gz") }

// Manifest lists every file with its digest. Ours.
func (l Layout) Manifest() string { return l.fileKey("-lifeboat-manifest.json") }

// RestoreLayout names the files of one restore.
type RestoreLayout struct{ Restore string }

// Dir is the directory of the restore, with its final slash.
func (l RestoreLayout) Dir() string { return RestoresDir + l.Restore + "/" }

// Logs is the restore's log, gzip text.
func (l RestoreLayout) Logs() string { return l.fileKey("-logs.gz") }

// Results holds warnings and errors.
func (l RestoreLayout) Results() string { return l.fileKey("-results.gz") }

// ResourceList maps kinds to names and what became of each.
func (l RestoreLayout) ResourceList() string { return l.fileKey("-resource-list.json.gz") }

// ItemOperations lists asynchronous operations.
func (l RestoreLayout) ItemOperations() string { return l.fileKey("-itemoperations.json.gz") }

// VolumeInfo tells how each volume was restored. It alone has no "restore-" in
// its name: Velero's habit.
func (l RestoreLayout) VolumeInfo() string { return l.Dir() + l.Restore + "-volumeinfo.json.gz" }

func (l RestoreLayout) fileKey(suffix string) string {
	return l.Dir() + "restore-" + l.Restore + suffix
}

// Staging is the directory of work in progress of the backup or restore of
// that UID, with its final slash.
func Staging(uid string) string { return PluginDir + "staging/" + uid + "/" }

// Claim is the file by which a running backup reserves its name.
func Claim(backup string) string { return PluginDir + "claims/" + backup + ".json" }

// ClusterName is the file that says which cluster a name of a cluster belongs to.
func ClusterName(cluster string) string { return PluginDir + "clusters/" + cluster + ".json" }

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

// ScheduleDir is the directory of the definitions of a cluster's schedules: clusters that share
// a location run their own only.
func ScheduleDir(cluster string) string { return PluginDir + "schedules/" + cluster + "/" }

// ScheduleKey is the file with the definition of a schedule.
func ScheduleKey(cluster, schedule string) string { return ScheduleDir(cluster) + schedule + ".json" }

// ScheduleRunsKey is the file that says what became of a schedule's due times.
func ScheduleRunsKey(cluster, schedule string) string {
	return PluginDir + "schedule-runs/" + cluster + "/" + schedule + ".json"
}

// TurnsKey is the file that says which runs of schedules take a backup, and which wait.
func TurnsKey(cluster string) string { return PluginDir + "turns/" + cluster + ".json" }

// DrillDir is the directory of the evidence of a cluster's restore drills.
func DrillDir(cluster string) string { return PluginDir + "drills/" + cluster + "/" }

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
	return RehearsalDir(backup) + uid + version + "." + level + jsonSuffix
}

// ParseRehearsalKey is the inverse of RehearsalKey; false for any other key.
func ParseRehearsalKey(key string) (backup, uid, version, level string, ok bool) {
	rest, found := strings.CutPrefix(key, RehearsalRoot)
	backup, file, nested := strings.Cut(rest, "/")
	file, isJSON := strings.CutSuffix(file, jsonSuffix)
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

// StagingRoot is the directory of the staging of all runs, and ClaimDir that of the names that
// running backups have reserved.
const (
	StagingRoot = PluginDir + "staging/"
	ClaimDir    = PluginDir + "claims/"
	ClustersDir = PluginDir + "clusters/"
)
