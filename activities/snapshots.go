package activities

import (
	"context"
	"errors"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// taken is what became of one volume when its snapshot was asked for. It lies in
// staging, one list a unit.
type taken struct {
	Volume int       `json:"volume"`           // index into the plan
	At     time.Time `json:"at"`               // the point in time
	ID     string    `json:"id,omitempty"`     // snap-…, of a native snapshot
	Failed string    `json:"failed,omitempty"` // why there is none
	// Content is the VolumeSnapshotContent of a CSI snapshot: it may outlive its
	// VolumeSnapshot.
	Content string `json:"content,omitempty"`

	// Of the volume of a native snapshot: what a restore makes the new one like.
	Type string `json:"type,omitempty"`
	Zone string `json:"zone,omitempty"`
	IOPS int32  `json:"iops,omitempty"`
}

func failedVolumes(volumes []int, why string) []taken {
	out := make([]taken, 0, len(volumes))
	for _, i := range volumes {
		out = append(out, taken{Volume: i, At: time.Now().UTC(), Failed: why})
	}
	return out
}

// Phases of a snapshot that was asked for.
const (
	snapshotPending   = "pending"
	snapshotCompleted = "completed"
	snapshotFailed    = "failed"
)

// snapshotState is how far a snapshot is.
type snapshotState struct {
	Phase   string
	Percent int
	Detail  string // why it failed, or what it waits for
}

// snapshotter is one path by which volumes are snapshotted. All methods are
// idempotent: names and tags derive from the backup's UID.
type snapshotter interface {
	// ready waits for what take needs, so that nothing is waited for while pods are
	// frozen. An error that is final, or errNoRoom, is of all volumes.
	ready(ctx context.Context, groups [][]int, how shot) (taker, error)
	// states tells how far snapshots are that were taken.
	states(ctx context.Context, all []taken) (map[int]snapshotState, error)
	// discard deletes the snapshots of this backup that are not of the volumes to
	// keep, also those that nothing records. all is what units have recorded.
	discard(ctx context.Context, all []taken, keep map[int]bool) error
	// found are the snapshots of some volumes whose point in time is fixed, by an
	// attempt before this one; forget deletes all that there are of these volumes.
	found(ctx context.Context, volumes []int) ([]taken, error)
	forget(ctx context.Context, volumes []int) error
}

// taker takes the snapshots of one unit.
type taker interface {
	// take asks for snapshots and returns once their point in time is fixed. A volume
	// that cannot be snapshotted is Failed in the result; an error is the whole
	// path's and may pass.
	take(ctx context.Context, without map[int]bool) ([]taken, error)
	// complete does what take left for when nothing is frozen any more, and returns
	// why it is refused for some volumes.
	complete(ctx context.Context) (map[int]string, error)
	// release gives back what ready has reserved. It may repeat.
	release()
}

// snapshotters are the paths that volumes of this backup take.
func (b *Backup) snapshotters(ctx context.Context, o *opened) (map[volume.Path]snapshotter, error) {
	out := map[volume.Path]snapshotter{}
	if o.plan.Volumes.count(volume.CSI) > 0 {
		out[volume.CSI] = &csiSnapshots{kube: b.Kube, plan: &o.plan, quotas: &b.quotas, locations: b.Snapshots, window: b.Config.Limits.PendingSnapshots}
	}
	if name := o.plan.Volumes.Location; name != "" {
		_, loc, err := b.Snapshots.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		out[volume.Native] = &nativeSnapshots{l: loc, plan: &o.plan}
	}
	return out, nil
}

// states asks every path how far the snapshots are; what was refused has failed. A
// snapshot that is not complete by its deadline has failed too.
func (o *opened) states(ctx context.Context, paths map[volume.Path]snapshotter, all []taken) (map[int]snapshotState, error) {
	out := make(map[int]snapshotState, len(all))
	asked := map[volume.Path][]taken{}
	for _, t := range all {
		if t.Failed != "" {
			out[t.Volume] = snapshotState{Phase: snapshotFailed, Detail: t.Failed}
			continue
		}
		path := o.plan.Volumes.Volumes[t.Volume].Path
		asked[path] = append(asked[path], t)
	}
	for path, of := range asked {
		states, err := paths[path].states(ctx, of)
		if err != nil {
			return nil, err
		}
		for _, t := range of {
			out[t.Volume] = o.timely(t, states[t.Volume])
		}
	}
	return out, nil
}

// timely gives a pending snapshot up after itemOperationTimeout.
func (o *opened) timely(t taken, st snapshotState) snapshotState {
	limit := o.plan.Backup.Spec.ItemOperationTimeout.Duration
	if st.Phase != snapshotPending || time.Since(t.At) < limit {
		return st
	}
	text := "the snapshot was not complete within itemOperationTimeout (" + limit.String() + ")"
	if st.Detail != "" {
		text += ": " + st.Detail
	}
	return snapshotState{Phase: snapshotFailed, Detail: text}
}

// hopelessly: no retry mends the error of a path, and all its volumes are concerned.
func hopelessly(err error) bool {
	return ebs.IsFinal(err) || errors.Is(err, ebs.ErrCredentials) || kube.IsForbidden(err) || kube.IsNotFound(err)
}
