package volume

import (
	"context"
	"errors"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// Backup is what a driver knows of the backup whose volumes it snapshots.
type Backup struct {
	UID             string
	Name            string
	Cluster         string
	StorageLocation string
	Labels          map[string]string
	SnapshotTimeout time.Duration // csiSnapshotTimeout of the spec
	Volumes         []Volume
}

// Snapshot is what became of one volume when its snapshot was asked for. It lies in
// staging, one list a unit.
type Snapshot struct {
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

func FailedSnapshots(volumes []int, why string) []Snapshot {
	out := make([]Snapshot, 0, len(volumes))
	for _, i := range volumes {
		out = append(out, Snapshot{Volume: i, At: time.Now().UTC(), Failed: why})
	}
	return out
}

// Phases of a snapshot that was asked for.
const (
	StatusPending   = "pending"
	StatusCompleted = "completed"
	StatusFailed    = "failed"
)

// Status is how far a snapshot is.
type Status struct {
	Phase   string
	Percent int
	Detail  string // why it failed, or what it waits for
}

// Snapshotter is one path by which volumes are snapshotted. All methods are
// idempotent: names and tags derive from the backup's UID.
type Snapshotter interface {
	// ready waits for what take needs, so that nothing is waited for while pods are
	// frozen. An error that is final, or errNoRoom, is of all volumes.
	Reserve(ctx context.Context, groups [][]int, how ReserveOptions) (Reservation, error)
	// states tells how far snapshots are that were taken.
	Status(ctx context.Context, all []Snapshot) (map[int]Status, error)
	// discard deletes the snapshots of this backup that are not of the volumes to
	// keep, also those that nothing records. all is what units have recorded.
	Discard(ctx context.Context, all []Snapshot, keep map[int]bool) error
	// found are the snapshots of some volumes whose point in time is fixed, by an
	// attempt before this one; forget deletes all that there are of these volumes.
	Find(ctx context.Context, volumes []int) ([]Snapshot, error)
	Forget(ctx context.Context, volumes []int) error
	// retain makes completed snapshots outlive the objects that stand for them in the
	// cluster. What it calls Failed is no part of the backup.
	Retain(ctx context.Context, completed []Snapshot) (Retention, error)
	// release takes what stands for snapshots out of the cluster, once the backup is
	// committed; the snapshots stay. all is what units have recorded.
	Release(ctx context.Context, all []Snapshot) error
}

// Driver is one technology by which the data of a backup's volumes is kept.
type Driver struct {
	Method Path
	Snapshotter
}

// Drivers are the technologies of a backup, each once, in the order in which they reserve
// capacity.
type Drivers []Driver

// Retention is what came of retaining snapshots.
type Retention struct {
	Objects []Object         // to be stored with the backup, in order
	Infos   map[int]*CSIInfo // what Velero's volumeinfo says of a CSI snapshot, by volume
	Failed  map[int]string   // why a snapshot is no part of the backup, by volume
}

// Object is an object of the cluster that is stored with the backup.
type Object struct {
	Key  archive.Key
	Body []byte
}

// Reservation takes the snapshots of one unit.
type Reservation interface {
	// take asks for snapshots and returns once their point in time is fixed. A volume
	// that cannot be snapshotted is Failed in the result; an error is the whole
	// path's and may pass.
	Take(ctx context.Context, without map[int]bool) ([]Snapshot, error)
	// complete does what take left for when nothing is frozen any more, and returns
	// why it is refused for some volumes.
	CompleteTags(ctx context.Context) (map[int]string, error)
	// release gives back what ready has reserved. It may repeat.
	Release()
}

// ErrNoCapacity: there was no room for a snapshot in its time.
var ErrNoCapacity = errors.New("no room for its snapshot below the limit of pending snapshots")

// ReserveOptions is how the snapshots of a unit are taken.
type ReserveOptions struct {
	Quiesced    bool      // pods wait for them
	LastAttempt bool      // and will not be frozen another time
	Deadline    time.Time // when there has to be room for them
	TooLate     error     // what it is if there was none
	// attempt is the number of the attempt at the unit, from 1: what fails in attempt
	// after attempt is given up.
	Attempt int32
}

// Within runs what waits for room, until there has to be some.
func (s ReserveOptions) Within(ctx context.Context, fn func(context.Context) error) error {
	limited, cancel := context.WithDeadline(ctx, s.Deadline)
	defer cancel()
	err := fn(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return s.TooLate
	}
	return err
}

const (
	// frozenLimit bounds how long pods stay frozen for requests that are not answered;
	// EC2 answers within a second.
	QuiesceLimit = time.Minute
)
