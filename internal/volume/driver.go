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
	// Place is the digest of where the backup's files lie; "" of one that an older worker began.
	Place string
	// SnapshotLocation is the VolumeSnapshotLocation of native snapshots.
	SnapshotLocation string
	Labels           map[string]string
	SnapshotTimeout  time.Duration // csiSnapshotTimeout of the spec
	Volumes          []Volume
}

// Snapshot is what became of one volume when its snapshot was asked for. Staging holds
// one list of them for each unit.
type Snapshot struct {
	Volume int       `json:"volume"`           // index into the plan
	At     time.Time `json:"at"`               // the point in time
	ID     string    `json:"id,omitempty"`     // snap-…, of a native snapshot
	Failed string    `json:"failed,omitempty"` // why there is none
	// Apart says why it is not of the same moment as the others of its group.
	Apart string `json:"apart,omitempty"`
	// Content is the VolumeSnapshotContent of a CSI snapshot: it may outlive its
	// VolumeSnapshot.
	Content string `json:"content,omitempty"`

	// What the volume of a native snapshot was like, for the volume that a restore makes.
	Type string `json:"type,omitempty"`
	Zone string `json:"zone,omitempty"`
	IOPS int32  `json:"iops,omitempty"`
}

// FailedSnapshots are those of volumes that have no snapshot, for one reason.
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

// Snapshotter keeps the data of a backup's volumes by one technology. All methods may
// repeat, in another process too: names and tags derive from the backup's UID. What a
// driver has to do is tested by package volumetest.
type Snapshotter interface {
	// Reserve waits for the capacity that Take needs, so that nothing is waited for while
	// pods are quiesced. An error that no retry mends, or ErrNoCapacity, concerns all of
	// the volumes, of which then nothing is reserved.
	Reserve(ctx context.Context, groups [][]int, o ReserveOptions) (Reservation, error)
	// Status tells how far snapshots are that were taken, by volume.
	Status(ctx context.Context, all []Snapshot) (map[int]Status, error)
	// Discard deletes the snapshots of this backup that are not of the volumes to keep,
	// also those that nothing records and that the provider may not show yet. all is what
	// units have recorded. That a snapshot is gone already is no error.
	Discard(ctx context.Context, all []Snapshot, keep map[int]bool) error
	// Find returns the snapshots of some volumes that an attempt before this one has
	// taken, also a moment ago: their point in time is fixed.
	Find(ctx context.Context, volumes []int) ([]Snapshot, error)
	// Forget deletes the snapshots that it sees of some volumes, and returns once new ones
	// cannot be mistaken for them. Between looking and deleting it calls confirm, whose error
	// it returns: what has come into being since it looked it leaves, for then it may be a
	// later attempt's.
	Forget(ctx context.Context, volumes []int, confirm func(context.Context) error) error
	// Retain makes completed snapshots outlive the objects that stand for them in the
	// cluster. What it calls Failed is no part of the backup.
	Retain(ctx context.Context, completed []Snapshot) (Retention, error)
	// Release takes what stands for snapshots out of the cluster, once the backup is
	// committed; the snapshots stay. all is what units have recorded.
	Release(ctx context.Context, all []Snapshot) error
	// IsPermanent reports whether no retry mends an error of one of these methods. Such an
	// error concerns all volumes of the driver.
	IsPermanent(err error) bool
}

// Driver is one technology by which the data of a backup's volumes is kept.
type Driver struct {
	Method Method
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

	Untagged string // why some could not be given the backup's tags; "" if all could
}

// Object is an object of the cluster that is stored with the backup.
type Object struct {
	Key  archive.Key `json:"key"`
	Body []byte      `json:"body"`
}

// Reservation is the capacity for the snapshots of one unit, and takes them.
type Reservation interface {
	// Take asks for the snapshots of all volumes but those of without, and returns once
	// their point in time is fixed. A volume that cannot be snapshotted is Failed in the
	// result; an error concerns all volumes and may pass.
	Take(ctx context.Context, without map[int]bool) ([]Snapshot, error)
	// CompleteTags does what Take has left for the time when no pods are quiesced any
	// more, and returns why it is refused for some volumes.
	CompleteTags(ctx context.Context) (map[int]string, error)
	// Release gives back what was reserved and not used. It may repeat.
	Release()
}

// ErrNoCapacity says that there was no capacity for a snapshot in its time.
var ErrNoCapacity = errors.New("no room for its snapshot below the limit of pending snapshots")

// ReserveOptions is how the snapshots of a unit are taken.
type ReserveOptions struct {
	Quiesced    bool      // pods wait for them
	LastAttempt bool      // pods will not be quiesced another time
	Deadline    time.Time // when there has to be capacity for them
	TooLate     error     // the error if there was none, an ErrNoCapacity
	// Attempt is the number of the attempt at the unit, from 1: what fails in attempt
	// after attempt is given up.
	Attempt int32
}

// Within runs what waits for capacity, until the deadline.
func (o ReserveOptions) Within(ctx context.Context, fn func(context.Context) error) error {
	limited, cancel := context.WithDeadline(ctx, o.Deadline)
	defer cancel()
	err := fn(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return o.TooLate
	}
	return err
}

const (
	// QuiesceLimit bounds how long pods stay quiesced for requests that are not answered;
	// EC2 answers within a second.
	QuiesceLimit = time.Minute
	// CreateWindow is how many snapshots of one unit are asked for at a time; the limiter
	// of the account has the last word.
	CreateWindow = 16
)
