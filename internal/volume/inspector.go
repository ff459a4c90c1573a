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
}

// IsLost tells that the backup lacks the snapshot.
func (i Inspection) IsLost() bool { return i.Presence == Absent || i.Presence == Unfit }
