package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// exportWindow is how many shards of one backup are exported at a time. The API
// server is the limit long before the number of activities is.
const exportWindow = 8

// snapshotWindow is how many units of one backup are quiesced and snapshotted at a
// time. How many snapshots are pending is decided by the limiter of the account,
// which all backups share.
const snapshotWindow = 16

// Backup takes a backup of a cluster's objects and volumes. The backup exists if and only if
// this workflow completes; a run that fails or is cancelled leaves nothing.
func Backup(ctx workflow.Context, in contract.BackupInput) (contract.BackupResult, error) {
	b, err := newBackup(ctx, in)
	if err != nil {
		return contract.BackupResult{}, err
	}
	res, err := b.runPhases(ctx)
	if err != nil {
		return res, b.abandonBackup(ctx, err)
	}
	return res, b.setPhase(ctx, res.Phase)
}

// backup is one run; its methods are the phases.
type backup struct {
	*progress
	in     contract.BackupInput
	run    contract.Run
	ref    contract.BackupRef
	plan   contract.BackupPlan
	chunks []int // the number of chunks of each shard, by shard number
	staged contract.ShardAttempts
	seal   contract.SealResult
}

func newBackup(ctx workflow.Context, in contract.BackupInput) (*backup, error) {
	info := workflow.GetInfo(ctx)
	if in.Name == "" {
		in.Name = defaultName(ctx, "backup")
	}
	p, err := newProgress(ctx, "Backup "+in.Name, in.Name, phaseInProgress)
	return &backup{progress: p, in: in, run: thisRun(info), ref: contract.BackupRef{
		Name: in.Name, UID: info.OriginalRunID, Location: in.Spec.StorageLocation,
	}}, err
}

func (b *backup) runPhases(ctx workflow.Context) (contract.BackupResult, error) {
	for _, phase := range []func(workflow.Context) error{
		b.prepareBackup, b.snapshotVolumes, b.exportShards, b.exportRelated,
		b.checkVolumes, b.finishVolumes, b.sealBackup, b.verifyBackup,
	} {
		if err := phase(ctx); err != nil {
			return contract.BackupResult{}, stopError(ctx, err)
		}
	}
	return b.commitBackup(ctx)
}

func (b *backup) prepareBackup(ctx workflow.Context) error {
	b.setStep(ctx, "validating, claiming the name, planning shards")
	plan, err := runActivity(withDurableOptions(ctx, "validate and plan"), contract.PrepareBackup,
		contract.PrepareBackupInput{Backup: b.in, UID: b.ref.UID, Run: b.run})
	if err != nil {
		return err
	}
	b.plan, b.ref.Location, b.ref.Binding = plan, plan.Location, plan.Binding
	b.activities++
	b.TotalObjects, b.Warnings, b.Errors = plan.Objects, plan.Warnings, plan.Errors
	b.TotalVolumes = plan.Volumes
	b.chunks = make([]int, plan.Shards)
	return b.setExpiry(ctx, plan.Expires, plan.Schedule)
}

// snapshotVolumes begins the snapshots of all volumes, before any object is exported:
// a claim is stored with the name of its snapshot.
func (b *backup) snapshotVolumes(ctx workflow.Context) error {
	if b.plan.Units == 0 {
		return nil
	}
	step := fmt.Sprintf("taking snapshots of %d volumes", b.plan.Volumes)
	if b.plan.Volumes == 0 {
		step = "running hooks of pods"
	}
	b.setStep(ctx, step)
	return fanOut(withWorkTime(ctx, b.plan.UnitTime), contract.SnapshotVolumes, b.plan.Units, snapshotWindow,
		func(i int) (contract.SnapshotVolumesInput, string) {
			return contract.SnapshotVolumesInput{Ref: b.ref, Unit: i}, fmt.Sprintf("volumes, unit %d of %d", i+1, b.plan.Units)
		},
		func(_ int, res contract.SnapshotResult) {
			b.activities++
			b.Warnings += res.Warnings
			b.Errors += res.Errors
			b.showDetails(ctx)
		})
}

func (b *backup) exportShards(ctx workflow.Context) error {
	b.setStep(ctx, fmt.Sprintf("exporting %d shards", b.plan.Shards))
	return fanOut(ctx, contract.ExportShard, b.plan.Shards, exportWindow,
		func(i int) (contract.ExportShardInput, string) {
			return contract.ExportShardInput{Ref: b.ref, Shard: i}, fmt.Sprintf("shard %d of %d", i+1, b.plan.Shards)
		},
		func(i int, res contract.ShardResult) {
			b.chunks[i] = res.Chunks
			b.addShard(ctx, i, res)
		})
}

// exportRelated fetches objects that are in the backup only because others refer
// to them: a partial backup's PVs, CRDs, cluster roles.
func (b *backup) exportRelated(ctx workflow.Context) error {
	if !b.plan.Related {
		return nil
	}
	b.setStep(ctx, "exporting related objects")
	res, err := runActivity(withDurableOptions(ctx, "related objects"), contract.ExportRelated,
		contract.ExportRelatedInput{Ref: b.ref, Shards: b.chunks, Attempts: b.staged})
	if err != nil {
		return err
	}
	b.chunks = append(b.chunks, res.Chunks)
	b.addShard(ctx, len(b.chunks)-1, res)
	return nil
}

func (b *backup) addShard(ctx workflow.Context, shard int, res contract.ShardResult) {
	if len(res.Attempts) > 0 {
		if b.staged == nil {
			b.staged = contract.ShardAttempts{}
		}
		b.staged[shard] = res.Attempts
	}
	b.activities++
	b.Objects += res.Objects
	b.Bytes += res.Bytes
	b.Warnings += res.Warnings
	b.Errors += res.Errors
	b.showDetails(ctx)
}

// checkVolumes waits until every snapshot is complete, has failed or is past its
// deadline. The workflow's timers do the waiting, so that no worker is held meanwhile.
func (b *backup) checkVolumes(ctx workflow.Context) error {
	if b.plan.Units == 0 {
		return nil
	}
	b.setStep(ctx, "waiting for snapshots to complete")
	for wait := firstPollWait; ; wait = growWait(wait) {
		st, err := runActivity(withDurableOptions(ctx, "how far the snapshots are"), contract.CheckVolumes,
			contract.CheckVolumesInput{Ref: b.ref})
		if err != nil {
			return err
		}
		b.activities++
		b.Volumes, b.VolumesPercent = st.Completed, st.Percent
		b.showDetails(ctx)
		if st.Pending == 0 {
			return nil
		}
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// finishVolumes records the snapshots as one more shard.
func (b *backup) finishVolumes(ctx workflow.Context) error {
	if b.plan.Units == 0 {
		return nil
	}
	b.setStep(ctx, "recording snapshots")
	res, err := runActivity(withDurableOptions(ctx, "record snapshots"), contract.FinishVolumes,
		contract.FinishVolumesInput{Ref: b.ref, Shard: len(b.chunks)})
	if err != nil {
		return err
	}
	b.chunks = append(b.chunks, res.Chunks)
	b.addShard(ctx, len(b.chunks)-1, res)
	return nil
}

func (b *backup) sealBackup(ctx workflow.Context) error {
	b.setStep(ctx, "composing the archive")
	var err error
	b.seal, err = runActivity(withDurableOptions(ctx, "compose archive, index, side files"), contract.SealBackup,
		contract.SealBackupInput{Ref: b.ref, Chunks: b.chunks, Attempts: b.staged})
	b.activities++
	return err
}

func (b *backup) verifyBackup(ctx workflow.Context) error {
	b.setStep(ctx, "reading back and verifying")
	_, err := runActivity(withDurableOptions(ctx, "read back and verify"), contract.VerifyBackup,
		contract.VerifyBackupInput{Ref: b.ref})
	b.activities++
	return err
}

// commitBackup is the point of no return: a cancel that comes now comes too late.
func (b *backup) commitBackup(ctx workflow.Context) (contract.BackupResult, error) {
	if err := ctx.Err(); err != nil {
		return contract.BackupResult{}, err
	}
	b.setStep(ctx, "committing")
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	res, err := runActivity(withDurableOptions(ctx, "commit"), contract.CommitBackup, contract.CommitBackupInput{
		Ref: b.ref, Completed: workflow.Now(ctx), Seal: b.seal,
	})
	b.activities++
	res.Activities = b.activities
	b.setStep(ctx, "done: "+res.Phase)
	return res, err
}

// abandonBackup deletes snapshots, clears staging and releases the name, then returns
// the cause.
func (b *backup) abandonBackup(ctx workflow.Context, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(withPromptQueue(ctx))
	defer cancel()
	b.setStep(ctx, "cleaning up after: "+errorMessage(cause))
	err := b.abandonVolumes(ctx)
	// A snapshot that may not be deleted must not hold the name: the error says that it is left.
	_, clearErr := runActivity(withDurableOptions(ctx, "clean up"), contract.AbandonBackup, contract.AbandonBackupInput{Ref: b.ref})
	if err := errors.Join(err, clearErr); err != nil {
		cause = cleanUpError(cause, err)
	}
	return b.setFailure(ctx, cause)
}

// abandonVolumes resumes the pods that are quiesced and deletes the snapshots of a
// backup that will not exist. It comes before staging is cleared, which lists them.
func (b *backup) abandonVolumes(ctx workflow.Context) error {
	if b.plan.Units == 0 {
		return nil
	}
	_, err := runActivity(withDurableOptions(ctx, "thaw, delete snapshots"), contract.AbandonVolumes,
		contract.AbandonVolumesInput{Ref: b.ref})
	return err
}
