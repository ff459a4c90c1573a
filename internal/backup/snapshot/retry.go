package snapshot

import (
	"context"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// groupsByPath are those of the unit, each of one path.
func (s *unitSnapshot) groupsByPath() map[volume.Path][][]int {
	out := map[volume.Path][][]int{}
	for _, g := range s.unit.Groups {
		for path, part := range backup.SplitByMethod(s.run.Plan.Volumes.Volumes, g) {
			out[path] = append(out[path], part)
		}
	}
	return out
}

// reuseEarlier looks at what an attempt before this one has left of pods with hooks. All
// snapshots of a unit are taken while its pods are quiesced once: if all are there, and of a time before
// the pods were unquiesced, they are used as they are; otherwise they are made anew.
func (s *unitSnapshot) reuseEarlier(ctx context.Context, paths map[volume.Path]volume.Snapshotter, thawed time.Time, resumed bool) error {
	if len(s.unit.Pods) == 0 || s.attempt == 1 {
		return nil
	}
	return s.reuseOrForget(ctx, paths, thawed, resumed)
}

func (s *unitSnapshot) reuseOrForget(ctx context.Context, paths map[volume.Path]volume.Snapshotter, thawed time.Time, resumed bool) error {
	var before []volume.Snapshot
	for path, of := range s.groupsByPath() {
		found, err := paths[path].Find(ctx, slices.Concat(of...))
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
	for path, of := range s.groupsByPath() {
		all := slices.Concat(of...)
		err := paths[path].Forget(ctx, all)
		switch {
		case err == nil:
		case ctx.Err() == nil && backup.IsPermanent(err):
			s.refused[path] = true // they would be taken for those of this attempt
			s.snapshots = append(s.snapshots, volume.FailedSnapshots(all, "snapshots of an attempt that was lost are in the way: "+err.Error())...)
		default:
			return err
		}
	}
	return nil
}
