package snapshot

import (
	"context"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// groupsByMethod splits the groups of the unit by the method that keeps their volumes.
func (s *unitSnapshot) groupsByMethod() map[volume.Method][][]int {
	out := map[volume.Method][][]int{}
	for _, g := range s.unit.Groups {
		for method, part := range backup.SplitByMethod(s.run.Plan.Volumes.Volumes, g) {
			out[method] = append(out[method], part)
		}
	}
	return out
}

// reuseEarlier looks at the snapshots that an attempt before this one has left of pods with
// hooks. All snapshots of a unit are to be of one time in which its pods were quiesced. If
// all of them are there, and older than unquiesced, when this attempt unquiesced the pods,
// they are used as they are. Otherwise they are deleted and the unit begins anew: half of a
// database from before and half from after would be worse than a delay. What an attempt has
// begun to delete no other uses, whether it sees it or not.
func (s *unitSnapshot) reuseEarlier(ctx context.Context, drivers volume.Drivers, unquiesced time.Time, resumed bool) error {
	if len(s.unit.Pods) == 0 || s.attempt == 1 {
		return nil
	}
	found, err := s.findEarlier(ctx, drivers)
	if err != nil {
		return err
	}
	forgotten, err := s.quiescer.IsForgotten(ctx)
	if err != nil {
		return err
	}
	late := func(t volume.Snapshot) bool { return !t.At.Before(unquiesced) }
	if !forgotten && len(found) > 0 && len(found) == len(s.unit.Volumes()) && !slices.ContainsFunc(found, late) {
		s.quiescer.Reuse(resumed)
		return nil
	}
	return s.forgetEarlier(ctx, drivers)
}

// findEarlier returns the snapshots of an attempt before this one.
func (s *unitSnapshot) findEarlier(ctx context.Context, drivers volume.Drivers) ([]volume.Snapshot, error) {
	var found []volume.Snapshot
	groups := s.groupsByMethod()
	for _, d := range drivers {
		if len(groups[d.Method]) == 0 {
			continue
		}
		got, err := d.Find(ctx, slices.Concat(groups[d.Method]...))
		if err != nil && !d.IsPermanent(err) { // what is refused for good, takeSnapshots reports
			return nil, err
		}
		found = append(found, got...)
	}
	return found, nil
}

// forgetEarlier deletes the snapshots of an attempt before this one. Where that is refused
// for good no new ones are taken, because the old ones would be mistaken for them.
func (s *unitSnapshot) forgetEarlier(ctx context.Context, drivers volume.Drivers) error {
	groups := s.groupsByMethod()
	for _, d := range drivers {
		volumes := slices.Concat(groups[d.Method]...)
		if len(volumes) == 0 {
			continue
		}
		err := d.Forget(ctx, volumes, s.quiescer.ConfirmForget)
		switch {
		case err == nil:
		case ctx.Err() == nil && d.IsPermanent(err):
			s.barred[d.Method] = true
			s.snapshots = append(s.snapshots, volume.FailedSnapshots(volumes, "snapshots of an attempt that was lost are in the way: "+err.Error())...)
		default:
			return err
		}
	}
	return nil
}
