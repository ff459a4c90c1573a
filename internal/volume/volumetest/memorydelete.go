package volumetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

var errDenied = errors.New("the provider denies it")

// Deleter implements DeleteWorld.
func (m *Memory) Deleter() volume.Deleter { return memoryDeleter{m} }

// Exists implements DeleteWorld.
func (m *Memory) Exists(ref volume.Ref) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.findRef(ref)
	return ok
}

// Lock implements DeleteWorld.
func (m *Memory) Lock(ref volume.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.locked = ref
}

// Deny implements DeleteWorld.
func (m *Memory) Deny(ref volume.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.denied = ref
}

// Allow implements DeleteWorld.
func (m *Memory) Allow() { m.Deny(nil) }

type memoryDeleter struct{ memory *Memory }

// Check implements volume.Deleter.
func (d memoryDeleter) Check(context.Context, []volume.Ref) error { return nil }

// Delete implements volume.Deleter.
func (d memoryDeleter) Delete(ctx context.Context, owner volume.Owner, refs []volume.Ref, done func(volume.Ref, volume.Deletion, error)) error {
	for _, ref := range refs {
		if err := ctx.Err(); err != nil {
			return err
		}
		end, err := d.memory.deleteRef(owner, ref)
		done(ref, end, err)
	}
	return nil
}

// deleteRef deletes one snapshot, unless something keeps it.
func (m *Memory) deleteRef(owner volume.Owner, ref volume.Ref) (volume.Deletion, error) {
	if ref.Method() != MethodMemory {
		return volume.Deletion{}, fmt.Errorf("%s: not a snapshot of method %s", ref, MethodMemory)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.findRef(ref)
	switch {
	case !ok:
		return volume.Deletion{Outcome: volume.Gone}, nil
	case m.snapshots[at].uid != owner.UID:
		return volume.Deletion{Outcome: volume.Retained, Reason: "is of another backup"}, nil
	case m.locked == ref:
		return volume.Deletion{Outcome: volume.Retained, Reason: "is locked"}, nil
	case m.denied == ref:
		return volume.Deletion{}, errDenied
	}
	m.removeAt(at)
	return volume.Deletion{Outcome: volume.Deleted}, m.lostReply()
}
