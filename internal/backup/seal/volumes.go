package seal

import (
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// volumeInfos are the entries of Velero's volumeinfo file (docs/VELERO.md 2.6): one for
// each volume of the backup, by its name.
func volumeInfos(p *backup.Plan, final *backup.FinalVolumes) []volume.Info {
	ends := map[int]*volume.EndedSnapshot{}
	for i := range final.Ended {
		ends[final.Ended[i].Volume] = &final.Ended[i]
	}
	out := []volume.Info{}
	for i := range p.Volumes.Volumes {
		if v := &p.Volumes.Volumes[i]; v.PV != "" {
			out = append(out, volume.InfoOf(v, ends[i]))
		}
	}
	return out
}

// nativeSnapshotList are the entries of Velero's volumesnapshots file.
func nativeSnapshotList(p *backup.Plan, final *backup.FinalVolumes) []volume.NativeSnapshot {
	out := []volume.NativeSnapshot{}
	for i := range final.Ended {
		e := &final.Ended[i]
		entry, ok := volume.NativeSnapshotOf(&p.Volumes.Volumes[e.Volume], e)
		if !ok {
			continue
		}
		entry.Spec.BackupName, entry.Spec.BackupUID, entry.Spec.Location = p.Backup.Name, p.UID, p.Volumes.Location
		out = append(out, entry)
	}
	return out
}

// volumeCounts are those of the Backup's status.
func volumeCounts(f *backup.FinalVolumes, p *backup.VolumePlan) contract.VolumeCounts {
	n := volume.CountEnded(p.Volumes, f.Ended)
	return contract.VolumeCounts{
		NativeAttempted: n.NativeAttempted, NativeCompleted: n.NativeCompleted, CSIAttempted: n.CSIAttempted, CSICompleted: n.CSICompleted,
		HooksAttempted: f.Hooks.Attempted, HooksFailed: f.Hooks.Failed,
	}
}
