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
func threeTechnologies() (*unitSnapshot, volume.Drivers, map[volume.Method]*volumetest.Memory) {
	b := (&volumetest.Memory{}).Backup()
	b.Volumes[0].Method, b.Volumes[1].Method = volume.MethodNative, volume.MethodCSI
	worlds := map[volume.Method]*volumetest.Memory{}
	var drivers volume.Drivers
	for _, method := range []volume.Method{volume.MethodNative, volume.MethodCSI, volumetest.MethodMemory} {
		worlds[method] = &volumetest.Memory{}
		drivers = append(drivers, volume.Driver{Method: method, Snapshotter: worlds[method].Driver(b)})
	}
	unit := backup.Unit{Groups: [][]int{{0, 1, 2}, {3}}}
	run := &backup.Run{Plan: backup.Plan{UID: b.UID, Volumes: backup.VolumePlan{Volumes: b.Volumes, Units: []backup.Unit{unit}}}}
	return &unitSnapshot{run: run, unit: &unit, quiescer: quiesce.New(&backup.Service{}, run, 0), barred: map[volume.Method]bool{}}, drivers, worlds
}

// TestThreeTechnologies: a unit takes each volume by its own driver, whatever drivers
// there are, and a later attempt forgets what an earlier one took by all of them.
func TestThreeTechnologies(t *testing.T) {
	s, drivers, worlds := threeTechnologies()
	wantEach := func(native, csi, memory []int) {
		t.Helper()
		for method, want := range map[volume.Method][]int{volume.MethodNative: native, volume.MethodCSI: csi, volumetest.MethodMemory: memory} {
			if got := worlds[method].Existing("uid"); !slices.Equal(got, want) {
				t.Errorf("%s has snapshots of %v, want %v", method, got, want)
			}
		}
	}
	options := volume.ReserveOptions{Quiesced: true, Deadline: time.Now().Add(time.Minute), TooLate: volume.ErrNoCapacity, Attempt: 1}
	if err := s.takeQuiesced(t.Context(), drivers, options); err != nil {
		t.Fatal(err)
	}
	s.releaseReservations()
	if res := s.unitResult(); len(res.Snapshots) != volumetest.Volumes || len(res.Reasons) > 0 {
		t.Errorf("result %+v", res)
	}
	wantEach([]int{0}, []int{1}, []int{2, 3})

	states, err := s.run.SnapshotStates(t.Context(), drivers, s.snapshots)
	if err != nil || len(states) != volumetest.Volumes {
		t.Errorf("states %+v, %v", states, err)
	}
	s.unit.Pods, s.attempt = []backup.PodHooks{{Namespace: "shop", Name: "db"}}, 2
	if err := s.reuseEarlier(t.Context(), drivers, time.Now().Add(-time.Hour), true); err != nil {
		t.Fatal(err)
	}
	wantEach(nil, nil, nil)
}
