package catalog

import (
	"cmp"
	"context"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// volumesInAnswer bounds an answer of the catalog: a volume is some 400 bytes.
const volumesInAnswer = 500

// backupVolumes reads how each volume of a backup was backed up, and how many an answer
// has no room for. m is empty for a backup of Velero.
func backupVolumes(ctx context.Context, st store.Store, m archive.Manifest, l layout.Backup) ([]contract.VolumeSummary, int, error) {
	return fitVolumes(allVolumes(ctx, st, m, l))
}

func allVolumes(ctx context.Context, st store.Store, m archive.Manifest, l layout.Backup) ([]contract.VolumeSummary, error) {
	var all []contract.VolumeSummary
	err := repository.EachEntry(ctx, st, m, l.VolumeInfo(), func(o volume.Info) { all = append(all, backedUp(o)) })
	if _, ours := m.File(l.VolumeInfo()); err == nil && len(all) == 0 && !ours {
		all, err = oldVolumes(ctx, st, l)
	}
	return all, err
}

// restoredVolumes reads a restore's list of volumes; one of Velero's may have none.
func restoredVolumes(ctx context.Context, st store.Store, l layout.Restore) ([]contract.VolumeSummary, int, error) {
	var all []contract.VolumeSummary
	err := repository.EachEntry(ctx, st, archive.Manifest{}, l.VolumeInfo(), func(o volume.RestoreInfo) { all = append(all, cameBack(o)) })
	return fitVolumes(all, err)
}

// fitVolumes sorts volumes, failed ones first and skipped ones next, and cuts the list to
// what an answer may carry.
func fitVolumes(all []contract.VolumeSummary, err error) ([]contract.VolumeSummary, int, error) {
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(all, func(a, b contract.VolumeSummary) int {
		return cmp.Or(volumeUrgency(a)-volumeUrgency(b), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Claim, b.Claim),
			cmp.Compare(a.PV, b.PV), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.PodVolume, b.PodVolume))
	})
	n := min(len(all), volumesInAnswer)
	return all[:n], len(all) - n, nil
}

func volumeUrgency(v contract.VolumeSummary) int {
	switch {
	case v.Result == string(volume.Failed):
		return 0
	case v.Skipped:
		return 1
	default:
		return 2
	}
}

func backedUp(o volume.Info) contract.VolumeSummary {
	v := contract.VolumeSummary{
		Namespace: o.PVCNamespace, Claim: o.PVCName, PV: o.PVName, Method: string(o.BackupMethod),
		Result: string(resultOf(o)), Skipped: o.Skipped, SkippedReason: o.SkippedReason, Moved: o.SnapshotDataMoved,
	}
	addNative(&v, o.Native)
	addCSI(&v, o.CSI)
	addMoved(&v, o.Moved)
	addPod(&v, o.PVB)
	return v
}

func cameBack(o volume.RestoreInfo) contract.VolumeSummary {
	v := contract.VolumeSummary{
		Namespace: o.PVCNamespace, Claim: o.PVCName, PV: o.PVName, Method: string(o.RestoreMethod), Moved: o.SnapshotDataMoved,
	}
	addNative(&v, o.Native)
	addCSI(&v, o.CSI)
	addMoved(&v, o.Moved)
	addPod(&v, o.PVR)
	return v
}

func addNative(v *contract.VolumeSummary, n *volume.NativeInfo) {
	if n != nil {
		v.Snapshot, v.Type, v.Zone, v.IOPS = n.SnapshotHandle, n.VolumeType, n.VolumeAZ, n.IOPS
	}
}

// addCSI leaves out the word that Velero writes where there is no local snapshot.
func addCSI(v *contract.VolumeSummary, c *volume.CSIInfo) {
	if c == nil {
		return
	}
	known := func(s string) string {
		if s == volume.Unknown {
			return ""
		}
		return s
	}
	v.Snapshot, v.Content, v.Operation = known(c.SnapshotHandle), known(c.VSCName), known(c.OperationID)
	v.Driver, v.Bytes = c.Driver, c.Size
}

func addMoved(v *contract.VolumeSummary, d *volume.MovedInfo) {
	if d != nil {
		v.DataMover, v.Uploader = d.DataMover, d.UploaderType
		v.Operation, v.Bytes = cmp.Or(v.Operation, d.OperationID), cmp.Or(d.Size, v.Bytes)
		v.Snapshot = cmp.Or(d.SnapshotHandle, v.Snapshot)
	}
}

func addPod(v *contract.VolumeSummary, p *volume.PodVolumeInfo) {
	if p != nil {
		v.Pod, v.PodVolume, v.Uploader = resource.ObjectName(p.PodNamespace, p.PodName), p.VolumeName, p.UploaderType
		v.Snapshot, v.Bytes = p.SnapshotHandle, p.Size
	}
}

// resultOf is Velero's result. Versions before 1.14 only have phases, by path.
func resultOf(o volume.Info) volume.Result {
	phase := ""
	switch {
	case o.Result != "" || o.Skipped:
		return o.Result
	case o.Native != nil:
		phase = string(o.Native.Phase)
	case o.PVB != nil:
		phase = o.PVB.Phase
	case o.CSI != nil && o.CSI.ReadyToUse != nil && *o.CSI.ReadyToUse:
		return volume.Succeeded
	}
	return resultOfPhase(phase)
}

func resultOfPhase(phase string) volume.Result {
	switch phase {
	case string(volume.PhaseCompleted):
		return volume.Succeeded
	case string(volume.PhaseFailed):
		return volume.Failed
	default:
		return ""
	}
}
