package snapshot

import (
	"context"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// groups are those of the unit, by method.
func (s *unitSnapshot) groups() map[volume.Path][][]int {
	out := map[volume.Path][][]int{}
	for _, g := range s.unit.Groups {
		for path, part := range backup.SplitByMethod(s.run.Plan.Volumes.Volumes, g) {
			out[path] = append(out[path], part)
		}
	}
	return out
}

// reuseEarlier looks at what an attempt before this one has left of pods with hooks. All
// snapshots of a unit are taken in one freeze: if all are there, and of a time before
// the pods were thawed, they are used as they are; otherwise they are made anew.
func (s *unitSnapshot) reuseEarlier(ctx context.Context, drivers volume.Drivers, thawed time.Time, resumed bool) error {
	if len(s.unit.Pods) == 0 || s.attempt == 1 {
		return nil
	}
	return s.reuseOrForget(ctx, drivers, thawed, resumed)
}

func (s *unitSnapshot) reuseOrForget(ctx context.Context, drivers volume.Drivers, thawed time.Time, resumed bool) error {
	var before []volume.Snapshot
	groups := s.groups()
	for _, d := range drivers {
		if len(groups[d.Method]) == 0 {
			continue
		}
		found, err := d.Find(ctx, slices.Concat(groups[d.Method]...))
		if err != nil && !backup.IsPermanent(err) { // take says what is refused
			return err
		}
		before = append(before, found...)
	}
	late := func(t volume.Snapshot) bool { return !t.At.Before(thawed) }
	if len(before) > 0 && len(before) == len(s.unit.Volumes()) && !slices.ContainsFunc(before, late) {
		s.quiescer.Reuse(resumed)
		return nil
	}
	for _, d := range drivers {
		all := slices.Concat(groups[d.Method]...)
		if len(all) == 0 {
			continue
		}
		err := d.Forget(ctx, all)
		switch {
		case err == nil:
		case ctx.Err() == nil && backup.IsPermanent(err):
			s.barred[d.Method] = true // they would be taken for those of this freeze
			s.taken = append(s.taken, volume.FailedSnapshots(all, "snapshots of an attempt that was lost are in the way: "+err.Error())...)
		default:
			return err
		}
	}
	return nil
}
