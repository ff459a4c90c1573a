package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// exportWindow is how many shards of one backup are exported at a time. The API
// server is the limit long before the number of activities is.
const exportWindow = 8

// Backup takes a backup of a cluster's objects and volumes. The backup exists if and only if
// this workflow completes; a run that fails or is cancelled leaves nothing.
func Backup(ctx workflow.Context, in contract.BackupInput) (contract.BackupResult, error) {
	b, err := newBackup(ctx, in)
	if err != nil {
		return contract.BackupResult{}, err
	}
	res, err := b.run(ctx)
	if err != nil {
		return res, b.abandon(ctx, err)
	}
	return res, b.phase(ctx, res.Phase)
}

// backup is one run; its methods are the phases.
type backup struct {
	*progress
	in     contract.BackupInput
	by     contract.Run
	ref    contract.BackupRef
	plan   contract.BackupPlan
	chunks []int // by shard
	seal   contract.SealResult
}

func newBackup(ctx workflow.Context, in contract.BackupInput) (*backup, error) {
	info := workflow.GetInfo(ctx)
	if in.Name == "" {
		in.Name = nameOf(info, "backup")
	}
	p, err := newProgress(ctx, "Backup "+in.Name)
	if err != nil {
		return nil, err
	}
	b := &backup{progress: p, in: in, by: runOf(info), ref: contract.BackupRef{
		Name: in.Name, UID: info.OriginalRunID, Location: in.Spec.StorageLocation,
	}}
	return b, errors.Join(b.identify(ctx, in.Name), b.phase(ctx, phaseInProgress))
}

func (b *backup) run(ctx workflow.Context) (contract.BackupResult, error) {
	for _, phase := range []func(workflow.Context) error{
		b.prepare, b.snapshot, b.export, b.exportRelated, b.awaitVolumes, b.finishVolumes, b.compose, b.readBack,
	} {
		if err := phase(ctx); err != nil {
			return contract.BackupResult{}, cancelled(ctx, err)
		}
	}
	return b.commit(ctx)
}

func (b *backup) prepare(ctx workflow.Context) error {
	b.step(ctx, "validating, claiming the name, planning shards")
	plan, err := run(durable(ctx, "validate and plan"), contract.PrepareBackup,
		contract.PrepareBackupInput{Backup: b.in, UID: b.ref.UID, Run: b.by})
	if err != nil {
		return err
	}
	b.plan, b.ref.Location = plan, plan.Location
	b.activities++
	b.TotalObjects, b.Warnings, b.Errors = plan.Objects, plan.Warnings, plan.Errors
	b.TotalVolumes = plan.Volumes
	b.chunks = make([]int, plan.Shards)
	return b.expires(ctx, plan.Expires, plan.Schedule)
}

func (b *backup) export(ctx workflow.Context) error {
	b.step(ctx, fmt.Sprintf("exporting %d shards", b.plan.Shards))
	return fanOut(ctx, contract.ExportShard, b.plan.Shards, exportWindow,
		func(i int) (contract.ExportShardInput, string) {
			return contract.ExportShardInput{Ref: b.ref, Shard: i}, fmt.Sprintf("shard %d of %d", i+1, b.plan.Shards)
		},
		func(i int, res contract.ShardResult) {
			b.chunks[i] = res.Chunks
			b.add(ctx, res)
		})
}

// exportRelated fetches objects that are in the backup only because others refer
// to them: a partial backup's PVs, CRDs, cluster roles.
func (b *backup) exportRelated(ctx workflow.Context) error {
	if !b.plan.Related {
		return nil
	}
	b.step(ctx, "exporting related objects")
	res, err := run(durable(ctx, "related objects"), contract.ExportRelated,
		contract.ExportRelatedInput{Ref: b.ref, Shards: b.chunks})
	if err != nil {
		return err
	}
	b.chunks = append(b.chunks, res.Chunks)
	b.add(ctx, res)
	return nil
}

func (b *backup) add(ctx workflow.Context, res contract.ShardResult) {
	b.activities++
	b.Objects += res.Objects
	b.Bytes += res.Bytes
	b.Warnings += res.Warnings
	b.Errors += res.Errors
	b.show(ctx)
}

func (b *backup) compose(ctx workflow.Context) error {
	b.step(ctx, "composing the archive")
	var err error
	b.seal, err = run(durable(ctx, "compose archive, index, side files"), contract.SealBackup,
		contract.SealBackupInput{Ref: b.ref, Chunks: b.chunks})
	b.activities++
	return err
}

func (b *backup) readBack(ctx workflow.Context) error {
	b.step(ctx, "reading back and verifying")
	_, err := run(durable(ctx, "read back and verify"), contract.VerifyBackup,
		contract.VerifyBackupInput{Ref: b.ref})
	b.activities++
	return err
}

// commit is the point of no return: a cancel that comes now comes too late.
func (b *backup) commit(ctx workflow.Context) (contract.BackupResult, error) {
	if err := ctx.Err(); err != nil {
		return contract.BackupResult{}, err
	}
	b.step(ctx, "committing")
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	res, err := run(durable(ctx, "commit"), contract.CommitBackup, contract.CommitBackupInput{
		Ref: b.ref, Completed: workflow.Now(ctx), Seal: b.seal,
	})
	b.activities++
	res.Activities = b.activities
	b.step(ctx, "done: "+res.Phase)
	return res, err
}

// abandon deletes snapshots, clears staging and releases the name, then returns the
// cause.
func (b *backup) abandon(ctx workflow.Context, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	b.step(ctx, "cleaning up after: "+message(cause))
	err := b.abandonVolumes(ctx)
	// What nobody may delete must not hold the name: the error says that it is left.
	_, cleared := run(durable(ctx, "clean up"), contract.AbandonBackup, contract.AbandonBackupInput{Ref: b.ref})
	if err := errors.Join(err, cleared); err != nil {
		cause = temporal.NewApplicationErrorWithCause("clean up after: "+message(cause), "CleanupFailed", err)
	}
	return b.failed(ctx, cause)
}
