package restore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// readClaims reads what became of awaited claims.
func (s *Run) readClaims(ctx context.Context) error {
	s.Ends, s.Actions = map[string]ClaimEnd{}, map[string]report.Action{}
	err := s.Stage.Get(ctx, repository.ClaimsFile, &s.Ends)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// restored is the volume that came back with its data: a PersistentVolume that the
// claim is bound to. A native one also counts that was made and whose claim the restore
// does not select.
func (s *Run) restored(v *Volume) (pv string, ok bool) {
	if !v.HasData() {
		return "", false
	}
	end, awaited := s.Ends[resource.ObjectName(v.Namespace, v.Claim)]
	if v.Way == WayCSI || awaited {
		return end.PV, end.PV != ""
	}
	claim, tried := s.Actions[actionKey(resource.PersistentVolumeClaims, v.Target, v.Claim)]
	made := s.Actions[actionKey(resource.PersistentVolumes, "", v.Disk.Name)] == report.Created
	return v.Disk.Name, made && (!tried || claim == report.Created)
}

// NoteAction keeps what became of a claim or volume, for restored.
func (s *Run) NoteAction(rec Record) {
	if rec.Resource == resource.PersistentVolumes || rec.Resource == resource.PersistentVolumeClaims {
		s.Actions[actionKey(rec.Resource, rec.Namespace, rec.Name)] = report.Action(rec.Action)
	}
}

func actionKey(gr, namespace, name string) string {
	return gr + " " + resource.ObjectName(namespace, name)
}

// restoreInfos is Velero's list of restored volumes (docs/VELERO.md 2.6).
func (s *Run) restoreInfos() []volume.RestoreInfo {
	out := []volume.RestoreInfo{}
	s.eachRestored(func(v *Volume, pv string) {
		info := volume.RestoreInfo{PVCName: v.Claim, PVCNamespace: v.Target, PVName: pv, RestoreMethod: v.method()}
		if v.Way == WayNative {
			info.Native = &volume.NativeInfo{
				SnapshotHandle: v.Disk.Snapshot.ID, VolumeType: v.Disk.Type, VolumeAZ: v.Disk.Zone,
				IOPS: strconv.Itoa(int(v.Disk.IOPS)), Phase: volume.PhaseCompleted,
			}
		} else {
			info.CSI = &volume.CSIInfo{SnapshotHandle: v.Snapshot.Handle, Size: v.Snapshot.Size, Driver: v.Snapshot.Driver, VSCName: v.Snapshot.Name}
		}
		out = append(out, info)
	})
	return out
}

// RestoredCount is how many volumes came back with their data.
func (s *Run) RestoredCount() int {
	n := 0
	s.eachRestored(func(*Volume, string) { n++ })
	return n
}

func (s *Run) eachRestored(fn func(v *Volume, pv string)) {
	s.Plan.Volumes.Count(func(v *Volume) bool {
		if pv, ok := s.restored(v); ok {
			fn(v, pv)
		}
		return false
	})
}

// logVolumes tells where each volume came from.
func (s *Run) logVolumes(log *report.Log, at time.Time) {
	s.eachRestored(func(v *Volume, pv string) {
		args := []any{"claim", resource.ObjectName(v.Target, v.Claim), "volume", pv, "method", string(v.method())}
		if v.Way == WayNative {
			args = append(args, "snapshot", v.Disk.Snapshot.ID, "disk", s.Disks[v.PV].ID, "zone", v.Disk.Zone)
		} else {
			args = append(args, "snapshot", v.Snapshot.Handle, "driver", v.Snapshot.Driver)
		}
		report.LogEvent(log, at, "volume restored", args...)
	})
}

// Origin is what a dry run says of a claim or volume that would come back with data.
func (s *Run) Origin(e archive.Entry) string {
	var v *Volume
	switch e.Resource {
	case resource.PersistentVolumes:
		v = s.Index.Pvs[e.Name]
	case resource.PersistentVolumeClaims:
		v = s.Index.Claims[resource.ObjectName(e.Namespace, e.Name)]
	}
	switch {
	case v == nil || !v.HasData():
		return ""
	case v.Way == WayNative:
		return fmt.Sprintf("a new %s volume of %s in %s, of snapshot %s", v.Disk.Type, size(v.Capacity), v.Disk.Zone, v.Disk.Snapshot.ID)
	}
	return fmt.Sprintf("a new volume of class %s and at least %s, of snapshot %s", v.Class, size(max(v.Capacity, v.Snapshot.Size)), v.Snapshot.Handle)
}

func size(bytes int64) string {
	if bytes%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}
