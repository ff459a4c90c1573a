package snapshot

import (
	"slices"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/backup/quiesce"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// threeTechnologies is a unit of four volumes: 0 is native, 1 is CSI, and 2 and 3 are of a
// third method that no product code knows. Each method has a provider of its own.
func threeTechnologies() (*unitSnapshot, volume.Drivers, map[volume.Path]*volumetest.Memory) {
	b := (&volumetest.Memory{}).Backup()
	b.Volumes[0].Path, b.Volumes[1].Path = volume.Native, volume.CSI
	worlds := map[volume.Path]*volumetest.Memory{}
	var drivers volume.Drivers
	for _, method := range []volume.Path{volume.Native, volume.CSI, volumetest.MethodMemory} {
		worlds[method] = &volumetest.Memory{}
		drivers = append(drivers, volume.Driver{Method: method, Snapshotter: worlds[method].Driver(b)})
	}
	unit := backup.Unit{Groups: [][]int{{0, 1, 2}, {3}}}
	run := &backup.Run{Plan: backup.Plan{UID: b.UID, Volumes: backup.VolumePlan{Volumes: b.Volumes, Units: []backup.Unit{unit}}}}
	return &unitSnapshot{run: run, unit: &unit, quiescer: quiesce.New(&backup.Service{}, run, 0), barred: map[volume.Path]bool{}}, drivers, worlds
}

// TestThreeTechnologies: a unit takes each volume by its own driver, whatever drivers
// there are, and a later attempt forgets what an earlier one took by all of them.
func TestThreeTechnologies(t *testing.T) {
	s, drivers, worlds := threeTechnologies()
	wantEach := func(native, csi, memory []int) {
		t.Helper()
		for method, want := range map[volume.Path][]int{volume.Native: native, volume.CSI: csi, volumetest.MethodMemory: memory} {
			if got := worlds[method].Existing("uid"); !slices.Equal(got, want) {
				t.Errorf("%s has snapshots of %v, want %v", method, got, want)
			}
		}
	}
	options := volume.ReserveOptions{Quiesced: true, Deadline: time.Now().Add(time.Minute), TooLate: volume.ErrNoCapacity, Attempt: 1}
	if err := s.takeQuiesced(t.Context(), drivers, options); err != nil {
		t.Fatal(err)
	}
	s.release()
	if res := s.result(); len(res.Taken) != volumetest.Volumes || len(res.Reasons) > 0 {
		t.Errorf("result %+v", res)
	}
	wantEach([]int{0}, []int{1}, []int{2, 3})

	states, err := s.run.SnapshotStates(t.Context(), drivers, s.taken)
	if err != nil || len(states) != volumetest.Volumes {
		t.Errorf("states %+v, %v", states, err)
	}
	if err := s.reuseOrForget(t.Context(), drivers, time.Now().Add(-time.Hour), true); err != nil {
		t.Fatal(err)
	}
	wantEach(nil, nil, nil)
}
