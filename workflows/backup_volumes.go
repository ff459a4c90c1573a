package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// snapshotWindow is how many units of one backup are frozen and snapshotted at a
// time. How many snapshots are pending is decided by the limiter of the account,
// which all backups share.
const snapshotWindow = 16

// Snapshots are looked at after firstLook, then ever less often: a small one is
// complete within seconds, a large one takes an hour.
const (
	firstLook = 500 * time.Millisecond
	lastLook  = 30 * time.Second
)

// snapshot begins the snapshots of all volumes, before any object is exported: a
// claim is stored with the name of its snapshot.
func (b *backup) snapshot(ctx workflow.Context) error {
	if b.plan.Units == 0 {
		return nil
	}
	b.step(ctx, fmt.Sprintf("taking snapshots of %d volumes", b.plan.Volumes))
	return fanOut(lasting(ctx, b.plan.UnitTime), contract.SnapshotVolumes, b.plan.Units, snapshotWindow,
		func(i int) (contract.SnapshotVolumesInput, string) {
			return contract.SnapshotVolumesInput{Ref: b.ref, Unit: i}, fmt.Sprintf("volumes, unit %d of %d", i+1, b.plan.Units)
		},
		func(_ int, res contract.SnapshotResult) {
			b.activities++
			b.Warnings += res.Warnings
			b.Errors += res.Errors
			b.show(ctx)
		})
}

// awaitVolumes waits by timers of the workflow until every snapshot is complete, has
// failed or is past its deadline: no worker is held meanwhile.
func (b *backup) awaitVolumes(ctx workflow.Context) error {
	if b.plan.Units == 0 {
		return nil
	}
	b.step(ctx, "waiting for snapshots to complete")
	for wait := firstLook; ; wait = min(wait*9/8, lastLook) { // so that no look is late by much more than an eighth
		st, err := run(durable(ctx, "how far the snapshots are"), contract.CheckVolumes, contract.CheckVolumesInput{Ref: b.ref})
		if err != nil {
			return err
		}
		b.activities++
		b.Volumes, b.VolumesPercent = st.Completed, st.Percent
		b.show(ctx)
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
	b.step(ctx, "recording snapshots")
	res, err := run(durable(ctx, "record snapshots"), contract.FinishVolumes,
		contract.FinishVolumesInput{Ref: b.ref, Shard: len(b.chunks)})
	if err != nil {
		return err
	}
	b.chunks = append(b.chunks, res.Chunks)
	b.add(ctx, res)
	return nil
}

// abandonVolumes thaws what is frozen and deletes the snapshots of a backup that
// will not be. It comes before staging is cleared, which tells what there is.
func (b *backup) abandonVolumes(ctx workflow.Context) error {
	if b.plan.Units == 0 {
		return nil
	}
	_, err := run(durable(ctx, "thaw, delete snapshots"), contract.AbandonVolumes, contract.AbandonVolumesInput{Ref: b.ref})
	return err
}
