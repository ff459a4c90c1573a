package activities

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/backup/export"
	"github.com/lifeboat-backup/lifeboat/internal/backup/seal"
	"github.com/lifeboat-backup/lifeboat/internal/backup/snapshot"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
)

// Backup has the activities of Backup.
type Backup struct{ *backup.Service }

// PrepareBackup validates the input, takes the name and plans. It may repeat.
func (b *Backup) PrepareBackup(ctx context.Context, _ *heartbeat.Recorder, in contract.PrepareBackupInput) (contract.BackupPlan, error) {
	return b.Prepare(ctx, in, func(ctx context.Context, ref contract.BackupRef) error { return snapshot.Abandon(ctx, b.Service, ref) })
}

// SnapshotVolumes quiesces the pods of a unit, takes the snapshots of its volumes and lets
// the pods go on. It may repeat.
func (b *Backup) SnapshotVolumes(ctx context.Context, _ *heartbeat.Recorder, in contract.SnapshotVolumesInput) (contract.SnapshotResult, error) {
	return snapshot.TakeUnit(ctx, b.Service, attemptOf(ctx), in)
}

// ExportShard lists the objects of one shard into staged chunks. It resumes at the
// watermark of its last heartbeat.
func (b *Backup) ExportShard(ctx context.Context, recorder *heartbeat.Recorder, in contract.ExportShardInput) (contract.ShardResult, error) {
	return export.Shard(ctx, b.Service, recorder, in)
}

// ExportRelated fetches what exported objects refer to. It may repeat.
func (b *Backup) ExportRelated(ctx context.Context, recorder *heartbeat.Recorder, in contract.ExportRelatedInput) (contract.ShardResult, error) {
	return export.Related(ctx, b.Service, recorder, in)
}

// CheckVolumes looks how far the snapshots are. It changes nothing.
func (b *Backup) CheckVolumes(ctx context.Context, _ *heartbeat.Recorder, in contract.CheckVolumesInput) (contract.VolumeStatus, error) {
	return snapshot.Check(ctx, b.Service, in)
}

// FinishVolumes settles which snapshots are in the backup and deletes the others. It may
// repeat.
func (b *Backup) FinishVolumes(ctx context.Context, recorder *heartbeat.Recorder, in contract.FinishVolumesInput) (contract.ShardResult, error) {
	return snapshot.Finish(ctx, b.Service, recorder, in)
}

// SealBackup composes the archive and writes the files beside it. It may repeat.
func (b *Backup) SealBackup(ctx context.Context, recorder *heartbeat.Recorder, in contract.SealBackupInput) (contract.SealResult, error) {
	return seal.Backup(ctx, b.Service, recorder, in)
}

// VerifyBackup reads every stored byte back. It changes nothing.
func (b *Backup) VerifyBackup(ctx context.Context, recorder *heartbeat.Recorder, in contract.VerifyBackupInput) (contract.VerifyResult, error) {
	return seal.Verify(ctx, b.Service, recorder, in)
}

// CommitBackup makes the backup exist, once. It may repeat.
func (b *Backup) CommitBackup(ctx context.Context, _ *heartbeat.Recorder, in contract.CommitBackupInput) (contract.BackupResult, error) {
	return b.Commit(ctx, in)
}

// AbandonVolumes deletes the snapshots of a backup that will not be. It may repeat.
func (b *Backup) AbandonVolumes(ctx context.Context, _ *heartbeat.Recorder, in contract.AbandonVolumesInput) (contract.Nothing, error) {
	return contract.Nothing{}, snapshot.Abandon(ctx, b.Service, in.Ref)
}

// AbandonBackup removes what an uncommitted run left in the bucket. It may repeat.
func (b *Backup) AbandonBackup(ctx context.Context, _ *heartbeat.Recorder, in contract.AbandonBackupInput) (contract.Nothing, error) {
	return b.Abandon(ctx, in)
}
