package volume

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Deleter deletes the snapshots of one method. Both its methods may repeat.
type Deleter interface {
	// Check fails if this worker cannot reach where the snapshots are. It deletes
	// nothing.
	Check(ctx context.Context, refs []Ref) error
	// Delete calls done once for each snapshot, from several goroutines, with what
	// became of it: one that fails does not keep the others. Its own error is of
	// what concerns them all. A snapshot that is not the owner's is retained.
	Delete(ctx context.Context, owner Owner, refs []Ref, done func(Ref, Deletion, error)) error
}

// Owner is the backup whose snapshots are deleted.
type Owner struct {
	Name, UID string
	Ended     time.Time // when the backup ended: a provider may still hide the snapshots of a young one
}

// Ref names a snapshot well enough to delete it when its backup's files are gone.
type Ref interface {
	fmt.Stringer
	Method() Method
}

// Outcome is what became of a snapshot that was to be deleted.
type Outcome string

// What Deletion.Outcome can be.
const (
	Deleted  Outcome = "deleted"  // it was there and is gone now
	Gone     Outcome = "gone"     // it was not there any more
	Retained Outcome = "retained" // it exists still, Deletion.Reason says why
)

// Deletion is the end of one snapshot.
type Deletion struct {
	Outcome Outcome
	Reason  string // of one that is retained
}

// NativeRef is an EBS snapshot. Its JSON is part of the tombstone.
type NativeRef struct {
	Location string `json:"location"` // the VolumeSnapshotLocation
	ID       string `json:"id"`       // snap-…
	PV       string `json:"pv,omitempty"`
}

func (n NativeRef) String() string { return fmt.Sprintf("snapshot %s of volume %s", n.ID, n.PV) }

// Method implements Ref.
func (n NativeRef) Method() Method { return MethodNative }

// CSIRef is a snapshot that a CSI driver deletes. Its JSON is part of the tombstone.
type CSIRef struct {
	Driver      string            `json:"driver"`
	Handle      string            `json:"handle"`
	Content     string            `json:"content,omitempty"` // the VolumeSnapshotContent that stood for it
	Class       string            `json:"class,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"` // where its secrets are
	SourceMode  string            `json:"sourceMode,omitempty"`
	Group       string            `json:"group,omitempty"` // the group snapshot that it is a part of
}

func (c CSIRef) String() string { return fmt.Sprintf("snapshot %s of driver %s", c.Handle, c.Driver) }

// Method implements Ref.
func (c CSIRef) Method() Method { return MethodCSI }

// Key tells the snapshots of all drivers apart.
func (c CSIRef) Key() string { return c.Driver + "/" + c.Handle }

// DeletionList is the snapshots that go with a backup, as its tombstone names them.
type DeletionList struct {
	Native []NativeRef `json:"native,omitempty"`
	CSI    []CSIRef    `json:"csi,omitempty"`
	// Unread says what of the backup could not be read, or names a snapshot that
	// cannot be deleted by what is said of it.
	Unread []string `json:"unread,omitempty"`
}

// Count is how many snapshots there are to delete.
func (d *DeletionList) Count() int { return len(d.Native) + len(d.CSI) }

// Handles are the names that the snapshots' providers have for them.
func (d *DeletionList) Handles() []string {
	var out []string
	for _, n := range d.Native {
		out = append(out, n.ID)
	}
	for _, c := range d.CSI {
		out = append(out, c.Handle)
	}
	return out
}

// ByMethod sorts the snapshots by who deletes them.
func (d *DeletionList) ByMethod() map[Method][]Ref {
	out := map[Method][]Ref{}
	for _, n := range d.Native {
		out[n.Method()] = append(out[n.Method()], n)
	}
	for _, c := range d.CSI {
		out[c.Method()] = append(out[c.Method()], c)
	}
	return out
}

// Merge takes in those snapshots of more that are not in d.
func (d *DeletionList) Merge(more DeletionList) {
	for _, n := range more.Native {
		if !slices.Contains(d.Native, n) {
			d.Native = append(d.Native, n)
		}
	}
	for _, c := range more.CSI {
		if !slices.ContainsFunc(d.CSI, func(o CSIRef) bool { return o.Key() == c.Key() }) {
			d.CSI = append(d.CSI, c)
		}
	}
}
