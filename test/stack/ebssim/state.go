package ebssim

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// State is all that the simulator holds, whatever a client may see of it.
type State struct {
	Now       time.Time       `json:"now"`
	Volumes   []VolumeState   `json:"volumes"`
	Snapshots []SnapshotState `json:"snapshots"`
	// Others are snapshots that nobody made by a call: see CheckOthers.
	Others    []SnapshotState `json:"others"`
	Instances []Instance      `json:"instances"`
}

// VolumeState is a volume with the directory that has its data.
type VolumeState struct {
	ID         string            `json:"id"`
	Dir        string            `json:"dir"`
	State      string            `json:"state"`
	Zone       string            `json:"zone"`
	Type       string            `json:"type"`
	SizeGiB    int               `json:"sizeGiB"`
	IOPS       int               `json:"iops,omitempty"`
	Throughput int               `json:"throughput,omitempty"`
	Encrypted  bool              `json:"encrypted,omitempty"`
	KMSKeyID   string            `json:"kmsKeyID,omitempty"`
	SnapshotID string            `json:"snapshotID,omitempty"`
	Boot       bool              `json:"boot,omitempty"` // of an instance; nobody else made it
	Attached   map[string]string `json:"attached,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Created    time.Time         `json:"created"`
}

// SnapshotState is a snapshot. Where is "" for a listed one, "recycle-bin", or
// "deleted" while a deleted one still counts against limits.
type SnapshotState struct {
	ID       string            `json:"id"`
	Dir      string            `json:"dir"`
	VolumeID string            `json:"volumeID"`
	State    string            `json:"state"`
	Where    string            `json:"where,omitempty"`
	Progress int               `json:"progress"`
	SizeGiB  int               `json:"sizeGiB"`
	Bytes    int64             `json:"bytes"`
	Started  time.Time         `json:"started"`
	Lock     string            `json:"lock,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Other    int               `json:"other,omitempty"` // numbers those of State.Others from 1
}

// State is a copy of all there is, oldest first.
func (s *Sim) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	out := State{Now: now, Volumes: []VolumeState{}, Snapshots: []SnapshotState{}, Others: []SnapshotState{}, Instances: []Instance{}}
	for _, v := range s.volumes {
		if v.isGone(now) {
			continue
		}
		v.sweep(now)
		out.Volumes = append(out.Volumes, s.volumeState(v, now))
	}
	for _, snap := range s.snapshots {
		switch {
		case snap.Other > 0:
			out.Others = append(out.Others, s.snapshotState(snap, now))
		case !snap.gone(now):
			out.Snapshots = append(out.Snapshots, s.snapshotState(snap, now))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.instances)) {
		out.Instances = append(out.Instances, s.instances[id])
	}
	slices.SortFunc(out.Volumes, func(a, b VolumeState) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(out.Snapshots, func(a, b SnapshotState) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(out.Others, func(a, b SnapshotState) int { return cmp.Compare(a.Other, b.Other) })
	return out
}

func (s *Sim) volumeState(v *volume, now time.Time) VolumeState {
	out := VolumeState{
		ID: v.ID, Dir: s.volumeDir(v.ID), State: v.state(now), Zone: v.Zone, Type: v.Type, SizeGiB: v.SizeGiB,
		IOPS: v.IOPS, Throughput: v.Throughput, Encrypted: v.Encrypted, KMSKeyID: v.KMSKeyID, SnapshotID: v.SnapshotID,
		Boot: v.Boot, Tags: maps.Clone(v.Tags), Created: v.Created, Attached: map[string]string{},
	}
	for _, a := range v.Attachments {
		out.Attached[a.Instance] = a.state(now)
	}
	return out
}

func (s *Sim) snapshotState(snap *snapshot, now time.Time) SnapshotState {
	out := SnapshotState{
		ID: snap.ID, Dir: s.snapshotDir(snap.ID), VolumeID: snap.VolumeID, State: snap.state(now),
		Progress: snap.progress(now), SizeGiB: snap.SizeGiB, Bytes: snap.Bytes, Started: snap.Started,
		Tags: maps.Clone(snap.Tags), Other: snap.Other,
	}
	switch {
	case snap.inBin():
		out.Where = "recycle-bin"
	case !snap.Deleted.IsZero():
		out.Where = "deleted"
	}
	if snap.Lock != nil {
		out.Lock = snap.Lock.state(now)
	}
	return out
}
