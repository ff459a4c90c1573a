package restore

import (
	"context"
	"errors"
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
	err := s.Stage.GetLatest(ctx, repository.ClaimsFile, &s.Ends)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// restoredVolume is the volume that came back with its data: a PersistentVolume that the
// claim is bound to. One whose disk was made also counts if the restore does not select
// its claim.
func (s *Run) restoredVolume(v *volume.Restore) (pv string, ok bool) {
	if !v.HasData() {
		return "", false
	}
	end, awaited := s.Ends[v.ClaimKey()]
	if v.IsFilled() || awaited {
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
	s.eachRestored(func(v *volume.Restore, pv string) {
		out = append(out, volume.RestoreInfoOf(v, pv))
	})
	return out
}

// RestoredCount is how many volumes came back with their data.
func (s *Run) RestoredCount() int {
	n := 0
	s.eachRestored(func(*volume.Restore, string) { n++ })
	return n
}

func (s *Run) eachRestored(fn func(v *volume.Restore, pv string)) {
	for v := range s.Plan.Volumes.All() {
		if pv, ok := s.restoredVolume(v); ok {
			fn(v, pv)
		}
	}
}

// logVolumes tells where each volume came from.
func (s *Run) logVolumes(log *report.Log, at time.Time) {
	s.eachRestored(func(v *volume.Restore, pv string) {
		args := []any{"claim", resource.ObjectName(v.Target, v.Claim), "volume", pv, "method", string(v.Disposition.Method().Velero())}
		if v.NeedsDisk() {
			args = append(args, "snapshot", v.Disk.Snapshot.ID, "disk", s.Disks[v.PV].ID, "zone", v.Disk.Zone)
		} else {
			args = append(args, "snapshot", v.Snapshot.Handle, "driver", v.Snapshot.Driver)
		}
		report.LogEvent(log, at, "volume restored", args...)
	})
}

// Origin is what a dry run says of a claim or volume that would come back with data.
func (s *Run) Origin(e archive.Entry) string {
	var v *volume.Restore
	switch e.Resource {
	case resource.PersistentVolumes:
		v = s.Index.Pvs[e.Name]
	case resource.PersistentVolumeClaims:
		v = s.Index.Claims[resource.ObjectName(e.Namespace, e.Name)]
	}
	if v == nil {
		return ""
	}
	return v.Origin()
}
