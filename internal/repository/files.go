package repository

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// Files in the staging of a backup.
const (
	PlanFile         = "plan.json"            // the plan of a backup or of a restore
	RevisionFile     = "revision.json"        // the state of the cluster that the export shows
	SettledFile      = "volumes/settled.json" // which snapshots FinishVolumes keeps
	FinalVolumesFile = "volumes/final.json"   // what FinishVolumes settled
)

// ChunkFile is a chunk of an archive that an attempt has staged. Each attempt writes below a
// token of its own, so that one that was taken for dead writes over none of another.
func ChunkFile(shard, chunk int, attempt string) string {
	name := fmt.Sprintf("shard-%05d/chunk-%05d", shard, chunk)
	if attempt != "" { // workers of old had no token
		name += "-" + attempt
	}
	return name
}

// ChunkNotesFile is what is remembered beside a chunk until the backup is sealed.
func ChunkNotesFile(shard, chunk int, attempt string) string {
	return ChunkFile(shard, chunk, attempt) + ".json"
}

// NewAttempt is a token by which the files of one attempt are told from those of others.
func NewAttempt() string { return strings.ToLower(rand.Text()[:10]) }

// UnitSnapshotFile is what became of the volumes of a unit.
func UnitSnapshotFile(unit int) string { return fmt.Sprintf("volumes/unit-%05d.json", unit) }

// ForgottenFile says that the snapshots which a unit had when its pods had been quiesced n times
// are deleted, and used by nobody.
func ForgottenFile(unit, n int) string { return fmt.Sprintf("volumes/forgotten-%05d-%d.json", unit, n) }

// QuiesceJournalFile says that the pods of a unit may be quiesced.
func QuiesceJournalFile(unit int) string { return fmt.Sprintf("volumes/frozen-%05d.json", unit) }

// Files in the staging of a restore.
const (
	OpenedBackupFile = "open.json"   // which backup was opened, and how
	RecutChunksFile  = "chunks.json" // the chunks that a foreign tarball was cut into
	ProbedFile       = "probed.json" // reasons of the drivers that looked for snapshots
	ClaimsFile       = "claims.json" // what became of awaited claims, by "namespace/name" in the backup
	DisksFile        = "disks.json"  // what became of the disks, by PersistentVolume

	RecordsDir        = "records/"                  // what became of objects, by level and task
	CRDRecordsFile    = RecordsDir + "crds.json"    // reasons that AwaitCRDs leaves
	RelinkRecordsFile = RecordsDir + "relink.json"  // reasons that RelinkOwners leaves
	VolumeRecordsFile = RecordsDir + "volumes.json" // reasons that PatchVolumes leaves
	HookRecordsFile   = RecordsDir + "hooks.json"   // reasons that RunRestoreHooks leaves

	hooksDir = "hooks/"
)

// ObstacleFile says until when a restore waits for something, by a digest of what it is.
func ObstacleFile(digest string) string { return "obstacles/" + digest + ".json" }

// RecordsFile is one batch of what became of objects.
func RecordsFile(level, task, batch int) string {
	return fmt.Sprintf("%s%02d-%05d-%05d.json", RecordsDir, level, task, batch)
}

// PodHooksFile is what became of the hooks of one restored pod.
func PodHooksFile(namespace, pod string) string { return hooksDir + namespace + "/" + pod + ".json" }
