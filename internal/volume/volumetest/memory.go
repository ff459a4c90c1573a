package volumetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// MethodMemory is the method of volumes that Memory snapshots.
const MethodMemory volume.Method = "memory"

const (
	// memoryCompletes is how long a snapshot in memory is pending.
	memoryCompletes = 50 * time.Millisecond
	memoryPause     = 5 * time.Millisecond
)

var errReplyLost = errors.New("the provider's reply is lost")

// Memory is a World whose provider is in memory. Its zero value has no snapshots and is
// ready for use.
type Memory struct {
	mu        sync.Mutex
	reserved  int
	made      int
	lost      map[int]bool // volumes
	loseReply bool
	snapshots []memorySnapshot

	locked, denied volume.Ref // see DeleteWorld
}

type memorySnapshot struct {
	id, uid string
	volume  int
	at      time.Time
}

// Backup implements World.
func (m *Memory) Backup() *volume.Backup {
	b := &volume.Backup{UID: "uid", Name: "b", SnapshotTimeout: time.Minute}
	for i := range Volumes {
		b.Volumes = append(b.Volumes, volume.Volume{PV: fmt.Sprint("pv-", i), Method: MethodMemory})
	}
	return b
}

// Driver implements World.
func (m *Memory) Driver(b *volume.Backup) volume.Snapshotter { return &memoryDriver{m, b} }

// Existing implements World.
func (m *Memory) Existing(uid string) []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []int
	for _, s := range m.snapshots {
		if s.uid == uid {
			out = append(out, s.volume)
		}
	}
	slices.Sort(out)
	return out
}

// LoseReply implements World and DeleteWorld.
func (m *Memory) LoseReply() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loseReply = true
}

// DeleteVolume implements World.
func (m *Memory) DeleteVolume(index int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost = map[int]bool{index: true}
}

// DeleteSnapshots implements World.
func (m *Memory) DeleteSnapshots(uid string, index int) {
	m.deleteSnapshots(uid, func(i int) bool { return i == index })
}

func (m *Memory) deleteSnapshots(uid string, chosen func(int) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snapshots = slices.DeleteFunc(m.snapshots, func(s memorySnapshot) bool { return s.uid == uid && chosen(s.volume) })
}

// findSnapshot finds a backup's snapshot of a volume. The caller holds the lock.
func (m *Memory) findSnapshot(uid string, index int) (memorySnapshot, bool) {
	i := slices.IndexFunc(m.snapshots, func(s memorySnapshot) bool { return s.uid == uid && s.volume == index })
	if i < 0 {
		return memorySnapshot{}, false
	}
	return m.snapshots[i], true
}

// tryReserve takes n places if there are so many: those of snapshots that are complete
// are free again.
func (m *Memory) tryReserve(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	used := m.reserved
	for _, s := range m.snapshots {
		if time.Since(s.at) < memoryCompletes {
			used++
		}
	}
	if used+n > Capacity {
		return false
	}
	m.reserved += n
	return true
}

// createSnapshot makes a snapshot in a place that is reserved, or finds the one there is.
func (m *Memory) createSnapshot(uid string, index int) (memorySnapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.findSnapshot(uid, index); ok {
		return s, nil
	}
	m.made++
	s := memorySnapshot{fmt.Sprint("mem-", m.made), uid, index, time.Now().UTC()}
	m.snapshots = append(m.snapshots, s)
	if err := m.lostReply(); err != nil {
		return memorySnapshot{}, err
	}
	return s, nil
}

// lostReply is the error of a change of which nobody is told. The caller holds the lock.
func (m *Memory) lostReply() error {
	if !m.loseReply {
		return nil
	}
	m.loseReply = false
	return errReplyLost
}

// memoryDriver snapshots volumes in memory.
type memoryDriver struct {
	memory *Memory
	backup *volume.Backup
}

// awaitCapacity waits for n places until the deadline.
func (d *memoryDriver) awaitCapacity(ctx context.Context, n int, o volume.ReserveOptions) error {
	return o.Within(ctx, func(ctx context.Context) error {
		for !d.memory.tryReserve(n) {
			if err := poll.Wait(ctx, memoryPause); err != nil {
				return err
			}
		}
		return nil
	})
}

// Reserve implements volume.Snapshotter.
func (d *memoryDriver) Reserve(ctx context.Context, groups [][]int, o volume.ReserveOptions) (volume.Reservation, error) {
	r := &memoryReservation{driver: d, volumes: slices.Concat(groups...), options: o}
	if !o.Quiesced {
		return r, nil
	}
	if err := d.awaitCapacity(ctx, len(r.volumes), o); err != nil {
		return nil, err
	}
	r.places = len(r.volumes)
	return r, nil
}

// Status implements volume.Snapshotter.
func (d *memoryDriver) Status(_ context.Context, all []volume.Snapshot) (map[int]volume.Status, error) {
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	out := map[int]volume.Status{}
	for _, t := range all {
		s, ok := d.memory.findSnapshot(d.backup.UID, t.Volume)
		switch {
		case !ok:
			out[t.Volume] = volume.Status{Phase: volume.StatusFailed, Detail: "snapshot " + t.ID + " does not exist any more"}
		case time.Since(s.at) < memoryCompletes:
			out[t.Volume] = volume.Status{Phase: volume.StatusPending}
		default:
			out[t.Volume] = volume.Status{Phase: volume.StatusCompleted, Percent: 100}
		}
	}
	return out, nil
}

// Find implements volume.Snapshotter.
func (d *memoryDriver) Find(_ context.Context, volumes []int) ([]volume.Snapshot, error) {
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	var out []volume.Snapshot
	for _, i := range volumes {
		if s, ok := d.memory.findSnapshot(d.backup.UID, i); ok {
			out = append(out, volume.Snapshot{Volume: i, ID: s.id, At: s.at})
		}
	}
	return out, nil
}

// Forget implements volume.Snapshotter.
func (d *memoryDriver) Forget(ctx context.Context, volumes []int, confirm func(context.Context) error) error {
	found, err := d.Find(ctx, volumes)
	if err == nil {
		err = confirm(ctx)
	}
	if err != nil {
		return err
	}
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	d.memory.snapshots = slices.DeleteFunc(d.memory.snapshots, func(s memorySnapshot) bool {
		return slices.ContainsFunc(found, func(f volume.Snapshot) bool { return f.ID == s.id })
	})
	return nil
}

// Discard implements volume.Snapshotter.
func (d *memoryDriver) Discard(_ context.Context, _ []volume.Snapshot, keep map[int]bool) error {
	d.memory.deleteSnapshots(d.backup.UID, func(i int) bool { return !keep[i] })
	return nil
}

// Retain implements volume.Snapshotter.
func (d *memoryDriver) Retain(context.Context, []volume.Snapshot) (volume.Retention, error) {
	return volume.Retention{}, nil
}

// Release implements volume.Snapshotter.
func (d *memoryDriver) Release(context.Context, []volume.Snapshot) error { return nil }

// IsPermanent implements volume.Snapshotter.
func (d *memoryDriver) IsPermanent(error) bool { return false }

// memoryReservation has places for the snapshots of one unit.
type memoryReservation struct {
	driver  *memoryDriver
	volumes []int
	options volume.ReserveOptions
	places  int // reserved and not used
}

// Take implements volume.Reservation.
func (r *memoryReservation) Take(ctx context.Context, without map[int]bool) ([]volume.Snapshot, error) {
	var out []volume.Snapshot
	for _, i := range r.volumes {
		if without[i] {
			continue
		}
		s, err := r.takeVolume(ctx, i)
		switch {
		case errors.Is(err, volume.ErrNoCapacity) || errors.Is(err, errVolumeLost):
			out = append(out, volume.FailedSnapshots([]int{i}, err.Error())...)
		case err != nil:
			return out, err
		default:
			out = append(out, volume.Snapshot{Volume: i, ID: s.id, At: s.at})
		}
	}
	return out, nil
}

var errVolumeLost = errors.New("there is no such volume any more")

func (r *memoryReservation) takeVolume(ctx context.Context, index int) (memorySnapshot, error) {
	m := r.driver.memory
	m.mu.Lock()
	lost := m.lost[index]
	m.mu.Unlock()
	if lost {
		return memorySnapshot{}, errVolumeLost
	}
	if r.places == 0 {
		if err := r.driver.awaitCapacity(ctx, 1, r.options); err != nil {
			return memorySnapshot{}, err
		}
		r.places++
	}
	s, err := m.createSnapshot(r.driver.backup.UID, index)
	r.giveBack(1) // the snapshot has a place of its own while it is pending
	return s, err
}

func (r *memoryReservation) giveBack(n int) {
	r.driver.memory.mu.Lock()
	defer r.driver.memory.mu.Unlock()
	r.driver.memory.reserved -= n
	r.places -= n
}

// CompleteTags implements volume.Reservation.
func (r *memoryReservation) CompleteTags(context.Context) (map[int]string, error) { return nil, nil }

// Release implements volume.Reservation.
func (r *memoryReservation) Release() { r.giveBack(r.places) }
