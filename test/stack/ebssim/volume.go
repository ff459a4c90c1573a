package ebssim

import (
	"time"
)

// volume is a volume's record. Its state follows from the times in it.
type volume struct {
	ID          string            `json:"id"`
	Zone        string            `json:"zone"`
	Outpost     string            `json:"outpost,omitempty"` // its ARN
	Type        string            `json:"type"`
	SizeGiB     int               `json:"sizeGiB"`
	IOPS        int               `json:"iops,omitempty"`
	Throughput  int               `json:"throughput,omitempty"`
	Encrypted   bool              `json:"encrypted,omitempty"`
	KMSKeyID    string            `json:"kmsKeyID,omitempty"`
	MultiAttach bool              `json:"multiAttach,omitempty"`
	SnapshotID  string            `json:"snapshotID,omitempty"`
	InitRate    int               `json:"initRate,omitempty"` // MiB/s at which it is filled, 0 is the default rate
	Boot        bool              `json:"boot,omitempty"`
	Created     time.Time         `json:"created"`
	Visible     time.Time         `json:"visible"`
	Ready       time.Time         `json:"ready"`
	Vanishes    time.Time         `json:"vanishes,omitzero"` // when it was deleted, or is gone by itself
	Lingers     time.Time         `json:"lingers,omitzero"`  // until when some calls still show it though it was deleted
	Tags        map[string]string `json:"tags,omitempty"`
	Attachments []attachment      `json:"attachments,omitempty"`
	Change      *modification     `json:"change,omitempty"`
	// LastSnapshot is when CreateSnapshot was last called for it.
	LastSnapshot time.Time `json:"lastSnapshot,omitzero"`
}

type attachment struct {
	Instance string    `json:"instance"`
	Device   string    `json:"device"`
	At       time.Time `json:"at"`
	Attached time.Time `json:"attached"`
	// Detached is when it ends, zero while nobody detaches it.
	Detached time.Time `json:"detached,omitzero"`
}

// modification is a ModifyVolume under way or done.
type modification struct {
	Start, End   time.Time
	From, Target performance
}

type performance struct {
	Type                      string
	SizeGiB, IOPS, Throughput int
}

func (v *volume) performance() performance {
	return performance{Type: v.Type, SizeGiB: v.SizeGiB, IOPS: v.IOPS, Throughput: v.Throughput}
}

// The states of volumes and attachments.
const (
	stateCreating  = "creating"
	stateAvailable = "available"
	stateInUse     = "in-use"
	stateDeleting  = "deleting"
	stateAttaching = "attaching"
	stateAttached  = "attached"
	stateDetaching = "detaching"
)

func (v *volume) state(now time.Time) string {
	switch {
	case v.isGone(now):
		return stateDeleting
	case now.Before(v.Ready):
		return stateCreating
	case len(v.Attachments) > 0:
		return stateInUse
	}
	return stateAvailable
}

func (a attachment) state(now time.Time) string {
	switch {
	case !a.Detached.IsZero():
		return stateDetaching
	case now.Before(a.Attached):
		return stateAttaching
	}
	return stateAttached
}

// sweep drops attachments whose end has come and says if there were any.
func (v *volume) sweep(now time.Time) bool {
	var kept []attachment
	for _, a := range v.Attachments {
		if a.Detached.IsZero() || now.Before(a.Detached) {
			kept = append(kept, a)
		}
	}
	changed := len(kept) != len(v.Attachments)
	v.Attachments = kept
	return changed
}

func (v *volume) attachedTo(instance string) *attachment {
	for i := range v.Attachments {
		if v.Attachments[i].Instance == instance {
			return &v.Attachments[i]
		}
	}
	return nil
}

// progress is how far a modification is, 0 to 100.
func (m *modification) progress(now time.Time) int {
	if !now.Before(m.End) {
		return 100
	}
	return int(100 * now.Sub(m.Start) / m.End.Sub(m.Start))
}

func (m *modification) state(now time.Time) string {
	switch p := m.progress(now); {
	case p >= 100:
		return "completed"
	case p >= 50:
		return "optimizing"
	}
	return "modifying"
}
