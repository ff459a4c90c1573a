package volumetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// MemoryRestore is a RestoreWorld whose provider is in memory. Its zero value has all
// snapshots and is ready for use.
type MemoryRestore struct {
	mu        sync.Mutex
	gone      map[int]bool // snapshots
	loseReply bool
	made      int
	disks     []memoryDisk
	used      map[string]bool // ids of disks
}

// memoryDisk is a disk that was made for a volume of a restore.
type memoryDisk struct {
	id, uid string
	index   int
}

// Plan implements RestoreWorld.
func (m *MemoryRestore) Plan() ([]*volume.Restore, volume.View) {
	all := Restores(MethodMemory)
	for _, v := range all {
		v.Disk = &volume.DiskPlan{Name: v.PV}
	}
	return all, volume.View{Facts: volume.NewFacts()}
}

// Restorer implements RestoreWorld.
func (m *MemoryRestore) Restorer(run volume.RestoreRun) volume.Restorer {
	return &memoryRestorer{m, run}
}

// Made implements RestoreWorld.
func (m *MemoryRestore) Made(run volume.RestoreRun) []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []int
	for _, d := range m.disks {
		if d.uid == run.UID {
			out = append(out, d.index)
		}
	}
	slices.Sort(out)
	return out
}

// LoseReply implements RestoreWorld.
func (m *MemoryRestore) LoseReply() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loseReply = true
}

// DeleteSnapshot implements RestoreWorld.
func (m *MemoryRestore) DeleteSnapshot(index int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = map[int]bool{index: true}
}

// Use implements RestoreWorld.
func (m *MemoryRestore) Use(_ *volume.Restore, disk volume.Disk, _ []volume.Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used == nil {
		m.used = map[string]bool{}
	}
	m.used[disk.ID] = true
}

// hasSnapshot says whether there is a snapshot of a volume.
func (m *MemoryRestore) hasSnapshot(index int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.gone[index]
}

// createDisk makes a restore's disk, or finds the one there is.
func (m *MemoryRestore) createDisk(uid string, index int) (id string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.disks {
		if d.uid == uid && d.index == index {
			return d.id, nil
		}
	}
	m.made++
	d := memoryDisk{fmt.Sprint("disk-", m.made), uid, index}
	m.disks = append(m.disks, d)
	if m.loseReply {
		m.loseReply = false
		return "", errReplyLost
	}
	return d.id, nil
}

// memoryRestorer makes disks of snapshots in memory.
type memoryRestorer struct {
	memory *MemoryRestore
	run    volume.RestoreRun
}

// indexOf is the number in a volume's name.
func indexOf(v *volume.Restore) int {
	return slices.IndexFunc(Restores(MethodMemory), func(o *volume.Restore) bool { return o.PV == v.PV })
}

// Check implements volume.Restorer.
func (r *memoryRestorer) Check(_ context.Context, all []*volume.Restore, _ volume.View) (volume.Findings, error) {
	var out volume.Findings
	for _, v := range all {
		v.Disk.Snapshot.ID, v.Disk.Zone = "snapshot of "+v.PV, "here"
		if !r.memory.hasSnapshot(indexOf(v)) {
			out.Refuse(contract.ErrTypeNotFound, "volume %s: there is no snapshot of it any more", v.PV)
		}
	}
	return out, nil
}

// Probe implements volume.Restorer.
func (r *memoryRestorer) Probe(context.Context, []*volume.Restore) (volume.Findings, error) {
	return volume.Findings{}, nil
}

// Provision implements volume.Restorer.
func (r *memoryRestorer) Provision(_ context.Context, all []*volume.Restore, made *volume.Ledger) error {
	for _, v := range all {
		if made.Disk(v.PV).IsSettled() {
			continue
		}
		if !r.memory.hasSnapshot(indexOf(v)) {
			made.Record(v.PV, volume.Disk{Failed: "there is no snapshot of it any more"})
			continue
		}
		id, err := r.memory.createDisk(r.run.UID, indexOf(v))
		if err != nil {
			return err
		}
		made.Record(v.PV, volume.Disk{ID: id, Zone: v.Disk.Zone, Ready: true})
	}
	return nil
}

// ClaimObjects implements volume.Restorer.
func (r *memoryRestorer) ClaimObjects(*volume.Restore) ([]volume.Object, error) { return nil, nil }

// Diagnose implements volume.Restorer.
func (r *memoryRestorer) Diagnose(context.Context, *volume.Restore, time.Duration) (volume.Diagnosis, error) {
	return volume.Diagnosis{}, nil
}

// Sweep implements volume.Restorer.
func (r *memoryRestorer) Sweep(context.Context, []*volume.Restore, map[string]volume.Disk) error {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.memory.disks = slices.DeleteFunc(r.memory.disks, func(d memoryDisk) bool { return d.uid == r.run.UID && !r.memory.used[d.id] })
	return nil
}
