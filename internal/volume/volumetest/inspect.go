package volumetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// InspectWorld is a provider of which snapshots are looked up.
type InspectWorld interface {
	Inspector() volume.Inspector
	// Snapshot makes a complete snapshot of a volume of the backup.
	Snapshot(owner volume.Owner, pv string) volume.Ref
	// Delete deletes a snapshot.
	Delete(ref volume.Ref)
}

// RunInspector tests an Inspector. Each test has a World of its own.
func RunInspector(t *testing.T, in func(t *testing.T, test func(*testing.T, InspectWorld))) {
	owner := volume.Owner{Name: "b", UID: "uid"}
	t.Run("present, absent and present", func(t *testing.T) {
		in(t, func(t *testing.T, w InspectWorld) {
			refs := []volume.Ref{w.Snapshot(owner, "pv-0"), w.Snapshot(owner, "pv-1"), w.Snapshot(owner, "pv-2")}
			wantPresence(t, w, owner, refs, volume.Present, volume.Present, volume.Present)
			w.Delete(refs[1])
			wantPresence(t, w, owner, refs, volume.Present, volume.Absent, volume.Present)
		})
	})
	t.Run("none", func(t *testing.T) {
		in(t, func(t *testing.T, w InspectWorld) { wantPresence(t, w, owner, nil) })
	})
	t.Run("of another method", func(t *testing.T) {
		in(t, func(t *testing.T, w InspectWorld) {
			if _, err := w.Inspector().Inspect(t.Context(), owner, []volume.Ref{strangeRef{}}); err == nil {
				t.Error("a snapshot of another method is looked up")
			}
		})
	})
}

// wantPresence wants these, and a reason for each that is not present.
func wantPresence(t *testing.T, w InspectWorld, owner volume.Owner, refs []volume.Ref, want ...volume.Presence) {
	t.Helper()
	got, err := w.Inspector().Inspect(t.Context(), owner, refs)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, g := range got {
		if g.Presence != want[i] || (g.Reason == "") != (g.Presence == volume.Present) {
			t.Errorf("%s is %+v, want %s", refs[i], g, want[i])
		}
	}
}

// strangeRef is a snapshot that no driver made.
type strangeRef struct{}

func (strangeRef) String() string        { return "a strange snapshot" }
func (strangeRef) Method() volume.Method { return "strange" }

// MemoryRef is a snapshot of Memory.
type MemoryRef string

func (r MemoryRef) String() string { return "snapshot " + string(r) }

// Method implements volume.Ref.
func (MemoryRef) Method() volume.Method { return MethodMemory }

// Inspector implements InspectWorld.
func (m *Memory) Inspector() volume.Inspector { return memoryInspector{m} }

// Snapshot implements InspectWorld and DeleteWorld.
func (m *Memory) Snapshot(owner volume.Owner, pv string) volume.Ref {
	index := 0
	_, _ = fmt.Sscanf(pv, "pv-%d", &index)
	s, _ := m.createSnapshot(owner.UID, index)
	return MemoryRef(s.id)
}

// Delete implements InspectWorld and DeleteWorld.
func (m *Memory) Delete(ref volume.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, ok := m.findRef(ref); ok {
		m.removeAt(at)
	}
}

// findRef finds the snapshot that a reference names. The caller holds the lock.
func (m *Memory) findRef(ref volume.Ref) (int, bool) {
	at := slices.IndexFunc(m.snapshots, func(s memorySnapshot) bool { return MemoryRef(s.id) == ref })
	return at, at >= 0
}

// removeAt deletes a snapshot. The caller holds the lock.
func (m *Memory) removeAt(at int) { m.snapshots = slices.Delete(m.snapshots, at, at+1) }

type memoryInspector struct{ memory *Memory }

// Inspect implements volume.Inspector.
func (i memoryInspector) Inspect(_ context.Context, owner volume.Owner, refs []volume.Ref) ([]volume.Inspection, error) {
	i.memory.mu.Lock()
	defer i.memory.mu.Unlock()
	out := make([]volume.Inspection, len(refs))
	for at, ref := range refs {
		if ref.Method() != MethodMemory {
			return nil, fmt.Errorf("%s: not a snapshot of method %s", ref, MethodMemory)
		}
		out[at] = volume.Inspection{Presence: volume.Absent, Reason: "does not exist"}
		switch found, ok := i.memory.findRef(ref); {
		case !ok:
		case i.memory.snapshots[found].uid != owner.UID:
			out[at] = volume.Inspection{Presence: volume.Unfit, Reason: "is of another backup"}
		default:
			out[at] = volume.Inspection{Presence: volume.Present}
		}
	}
	return out, nil
}
