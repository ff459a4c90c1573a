package volume

import "context"

// Inspector looks snapshots of one method up at their provider, without changing anything.
type Inspector interface {
	// Inspect tells of each snapshot, in the order of refs, whether a volume can be made of
	// it. Its error may pass, and says nothing of any of them.
	Inspect(ctx context.Context, owner Owner, refs []Ref) ([]Inspection, error)
}

// Presence is whether a snapshot is there.
type Presence string

// What Inspection.Presence can be.
const (
	Present   Presence = "present"   // it is there, and what the backup says it is
	Absent    Presence = "absent"    // everybody who would know it was asked, and it is not there
	Unfit     Presence = "unfit"     // it is there, and no volume of the backup's can be made of it
	Unchecked Presence = "unchecked" // who knows it could not be asked
)

// Inspection is what is known of one snapshot.
type Inspection struct {
	Presence Presence
	Reason   string // of one that is not present; it follows the snapshot's name
	// EBS is the snapshot as one of EBS, of one that is present.
	EBS EBSSnapshot
}

// EBSSnapshot is where a snapshot of EBS is; no ID is none.
type EBSSnapshot struct {
	Location string // of the configuration
	ID       string
	SizeGiB  int32
}

// BlockSampler reads a few blocks of snapshots. It may repeat.
type BlockSampler interface {
	// Sample reads some blocks of a snapshot and holds them against EBS's own sums; read is told
	// the length of each. Its error may pass, and says nothing of the snapshot.
	Sample(ctx context.Context, s EBSSnapshot, read func(ctx context.Context, n int) error) (BlockSample, error)
}

// BlockSample is what came of it.
type BlockSample struct {
	Blocks  int    // that were read
	Damaged string // what is wrong with one; "" for nothing
	Unread  string // why no more could be read; "" if all could
}

// IsLost tells that the backup lacks the snapshot.
func (i Inspection) IsLost() bool { return i.Presence == Absent || i.Presence == Unfit }
