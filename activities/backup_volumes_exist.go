package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// inEC2 is what a location can tell.
type inEC2 interface {
	Volumes(ctx context.Context, ids []string) (map[string]ebs.Volume, error)
	Snapshots(ctx context.Context, ids []string) (map[string]ebs.Snapshot, error)
}

// showsIn is how long a snapshot that EC2 does not show is looked for, and how often.
type showsIn struct{ within, pause time.Duration }

// exist asks EC2 for the snapshots that its CSI driver calls ready: somebody may have
// deleted one since, which neither driver nor cluster would notice. A location that
// cannot be asked, or does not know the volumes, says nothing about their snapshots.
func (k *keeper) exist(ctx context.Context) error {
	left := k.ofEBS()
	for _, doc := range k.b.Config.VolumeSnapshotLocations {
		if len(left) == 0 {
			return nil
		}
		_, loc, err := k.b.Snapshots.Get(ctx, doc.Name)
		if err == nil {
			left, err = k.judge(ctx, loc, left, showsIn{showsWithin, csiLookLast})
		}
		if ctx.Err() != nil {
			return fmt.Errorf("look for snapshots in EC2: %w", err)
		}
	}
	return nil
}

// ofEBS are the volumes whose handles are ids of EBS snapshots.
func (k *keeper) ofEBS() []*ended {
	var out []*ended
	for i := range k.final.Ended {
		e := &k.final.Ended[i]
		v := &k.o.plan.Volumes.Volumes[e.Volume]
		if v.Path == volume.CSI && v.Driver == volume.DriverEBS && v.VolumeID != "" && e.CSI != nil && volume.IsEBSSnapshotID(e.CSI.SnapshotHandle) {
			out = append(out, e)
		}
	}
	return out
}

// judge fails those whose volume a location sees and whose snapshot it does not, and
// returns those that it can say nothing of: all of them where there is an error.
func (k *keeper) judge(ctx context.Context, loc inEC2, all []*ended, wait showsIn) ([]*ended, error) {
	idOf := func(e *ended) string { return k.o.plan.Volumes.Volumes[e.Volume].VolumeID }
	disks, err := loc.Volumes(ctx, textOf(all, idOf))
	if err != nil {
		return all, err
	}
	unknown := slices.DeleteFunc(slices.Clone(all), func(e *ended) bool { _, sees := disks[idOf(e)]; return sees })
	asked := slices.DeleteFunc(slices.Clone(all), func(e *ended) bool { _, sees := disks[idOf(e)]; return !sees })
	for end := time.Now().Add(wait.within); len(asked) > 0; {
		found, err := loc.Snapshots(ctx, textOf(asked, handleOfEnded))
		if err != nil {
			return all, err
		}
		asked = slices.DeleteFunc(asked, func(e *ended) bool {
			s, there := found[e.CSI.SnapshotHandle]
			if there && s.State == ebs.SnapshotFailed {
				k.fail(e, nativeState(s).Detail)
			}
			return there
		})
		if len(asked) == 0 || time.Now().After(end) {
			break
		}
		if err := poll.Sleep(ctx, wait.pause); err != nil {
			return all, err
		}
	}
	for _, e := range asked {
		k.fail(e, fmt.Sprintf("snapshot %s of its volume %s is not in EC2 any more, though the driver calls it ready", e.CSI.SnapshotHandle, idOf(e)))
	}
	return unknown, nil
}

func textOf[T any](all []T, of func(T) string) []string {
	out := make([]string, 0, len(all))
	for _, v := range all {
		out = append(out, of(v))
	}
	return out
}
