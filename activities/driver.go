package activities

import (
	"context"
	"errors"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// driverBackup is what a driver knows of the backup whose volumes it snapshots.
type driverBackup struct {
	UID             string
	Name            string
	Cluster         string
	StorageLocation string
	Labels          map[string]string
	SnapshotTimeout time.Duration // csiSnapshotTimeout of the spec
	Volumes         []volume.Volume
}

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
	// retain makes completed snapshots outlive the objects that stand for them in the
	// cluster. What it calls Failed is no part of the backup.
	retain(ctx context.Context, completed []taken) (retention, error)
	// release takes what stands for snapshots out of the cluster, once the backup is
	// committed; the snapshots stay. all is what units have recorded.
	release(ctx context.Context, all []taken) error
}

// retention is what came of retaining snapshots.
type retention struct {
	Objects []retained              // to be stored with the backup, in order
	Infos   map[int]*volume.CSIInfo // what Velero's volumeinfo says of a CSI snapshot, by volume
	Failed  map[int]string          // why a snapshot is no part of the backup, by volume
}

// retained is an object of the cluster that is stored with the backup.
type retained struct {
	Key  archive.Key
	Body []byte
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

// errNoRoom: there was no room for a snapshot in its time.
var errNoRoom = errors.New("no room for its snapshot below the limit of pending snapshots")

// shot is how the snapshots of a unit are taken.
type shot struct {
	frozen bool      // pods wait for them
	last   bool      // and will not be frozen another time
	until  time.Time // when there has to be room for them
	late   error     // what it is if there was none
	// attempt is the number of the attempt at the unit, from 1: what fails in attempt
	// after attempt is given up.
	attempt int32
}

// within runs what waits for room, until there has to be some.
func (s shot) within(ctx context.Context, fn func(context.Context) error) error {
	limited, cancel := context.WithDeadline(ctx, s.until)
	defer cancel()
	err := fn(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return s.late
	}
	return err
}
