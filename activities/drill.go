package activities

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
)

// Drill has the activities of RestoreDrill, beside those of Restore.
type Drill struct{ *drill.Service }

// PrepareDrill checks the input and chooses the backup. It may repeat.
func (d *Drill) PrepareDrill(ctx context.Context, _ *heartbeat.Recorder, in contract.PrepareDrillInput) (contract.DrillPlan, error) {
	return d.Prepare(ctx, in)
}

// RemoveLostDrills asks for what lost drills have left to go, and says what is there. It may
// repeat.
func (d *Drill) RemoveLostDrills(ctx context.Context, _ *heartbeat.Recorder, in contract.TearDownInput) (contract.DrillRemains, error) {
	return d.RemoveLost(ctx, in)
}

// VerifyDrillBytes reads every byte of the backup. It may repeat.
func (d *Drill) VerifyDrillBytes(ctx context.Context, recorder *heartbeat.Recorder, in contract.CheckDrillInput) (contract.DrillBytes, error) {
	return d.VerifyBytes(ctx, recorder, in)
}

// IsolateDrill makes the namespaces of the copy and closes them. It may repeat.
func (d *Drill) IsolateDrill(ctx context.Context, _ *heartbeat.Recorder, in contract.IsolateDrillInput) (contract.Nothing, error) {
	return contract.Nothing{}, d.Isolate(ctx, in)
}

// AccountDrill compares every object with the backup. It may repeat.
func (d *Drill) AccountDrill(ctx context.Context, recorder *heartbeat.Recorder, in contract.CheckDrillInput) (contract.DrillObjects, error) {
	return d.Account(ctx, recorder, in)
}

// CheckDrillReady looks how far the workloads of the copy are. It may repeat.
func (d *Drill) CheckDrillReady(ctx context.Context, _ *heartbeat.Recorder, in contract.CheckDrillInput) (contract.DrillReady, error) {
	return d.CheckReady(ctx, in)
}

// ReadDrillVolumes has the volumes of the copy read through, and says how far that is. It may
// repeat.
func (d *Drill) ReadDrillVolumes(ctx context.Context, _ *heartbeat.Recorder, in contract.ReadVolumesInput) (contract.DrillReading, error) {
	return d.ReadVolumes(ctx, in)
}

// RunDrillAssertions tries the assertions. It may repeat.
func (d *Drill) RunDrillAssertions(ctx context.Context, recorder *heartbeat.Recorder, in contract.AssertDrillInput) (contract.DrillAssertions, error) {
	return d.Assert(ctx, recorder, in)
}

// RunDrillControl plants faults in the copy. It may repeat.
func (d *Drill) RunDrillControl(ctx context.Context, recorder *heartbeat.Recorder, in contract.AssertDrillInput) (contract.DrillControl, error) {
	return d.Control(ctx, recorder, in)
}

// TearDownDrill asks for the copy to go, and says what is left. It may repeat.
func (d *Drill) TearDownDrill(ctx context.Context, _ *heartbeat.Recorder, in contract.TearDownInput) (contract.DrillRemains, error) {
	return d.TearDown(ctx, in)
}

// SignDrill writes, signs and stores the evidence. It may repeat.
func (d *Drill) SignDrill(ctx context.Context, _ *heartbeat.Recorder, in contract.SignDrillInput) (contract.DrillResult, error) {
	return d.Sign(ctx, in)
}

// NotifyDrill tells one who is to be told how a drill ended. It may repeat.
func (d *Drill) NotifyDrill(ctx context.Context, _ *heartbeat.Recorder, in contract.NotifyDrillInput) (contract.Nothing, error) {
	return contract.Nothing{}, d.Notify(ctx, in)
}
