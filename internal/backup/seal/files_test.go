package seal

import (
	"reflect"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/backup/backuptest"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// ending is a backup of a native, a CSI and a skipped volume, of a native and a CSI one
// that failed, and of a claim without a volume.
func ending() (*backup.Plan, *backup.FinalVolumes) {
	p := backuptest.Plan("ncnncn")
	p.Volumes.Location = "aws"
	v := p.Volumes.Volumes
	v[0].VolumeID, v[0].ReclaimPolicy, v[0].Zone = "vol-0", "Delete", "a"
	v[2].Method, v[2].SkipReason = volume.MethodNone, "unwanted"
	v[3].VolumeID, v[3].Zone = "vol-3", "b"
	v[1].Driver, v[4].Driver = "d", "d"
	v[5].PV, v[5].Method = "", volume.MethodNone
	at := time.Unix(1000, 0).UTC()
	return p, &backup.FinalVolumes{Hooks: contract.HookCounts{Attempted: 3, Failed: 1}, Ended: []volume.EndedSnapshot{
		{Snapshot: volume.Snapshot{Volume: 0, At: at, ID: "snap-0", Type: "io2", IOPS: 500, Zone: "c"}, Completed: &at},
		{Snapshot: volume.Snapshot{Volume: 1, At: at}, Completed: &at, CSI: &volume.CSIInfo{SnapshotHandle: "h", Driver: "d"}},
		{Snapshot: volume.Snapshot{Volume: 3, At: at, Failed: "no", Type: "gp3", IOPS: 3000}},
		{Snapshot: volume.Snapshot{Volume: 4, At: at, Failed: "no"}},
	}}
}

func TestVolumeInfos(t *testing.T) {
	p, final := ending()
	got := volumeInfos(p, final)
	if len(got) != 5 {
		t.Fatalf("%d entries", len(got))
	}
	for i, want := range []struct {
		method  volume.VeleroMethod
		result  volume.Result
		skipped bool
	}{
		{volume.VeleroNative, volume.Succeeded, false},
		{volume.VeleroCSI, volume.Succeeded, false},
		{"", "", true},
		{volume.VeleroNative, volume.Failed, false},
		{volume.VeleroCSI, volume.Failed, false},
	} {
		g := got[i]
		if g.BackupMethod != want.method || g.Result != want.result || g.Skipped != want.skipped || g.PVName != p.Volumes.Volumes[i].PV {
			t.Errorf("%d: %+v", i, g)
		}
		if done := g.CompletionTimestamp != nil; done != (want.result == volume.Succeeded) {
			t.Errorf("%d is complete: %t", i, done)
		}
	}
	if n := got[0].Native; *n != (volume.NativeInfo{SnapshotHandle: "snap-0", VolumeType: "io2", VolumeAZ: "c", IOPS: "500", Phase: volume.PhaseCompleted}) {
		t.Errorf("%+v", n)
	}
	if got[1].CSI.SnapshotHandle != "h" || got[4].CSI.Driver != "d" || got[4].CSI.SnapshotHandle != "" || got[2].SkippedReason != "unwanted" {
		t.Errorf("%+v %+v %+v", got[1], got[2], got[4])
	}
}

func TestNativeSnapshotList(t *testing.T) {
	p, final := ending()
	got := nativeSnapshotList(p, final)
	fast, none := int64(500), int64(0)
	want := []volume.NativeSnapshot{
		{
			Spec:   volume.NativeSnapshotSpec{BackupName: "b", BackupUID: "uid", Location: "aws", PersistentVolumeName: "pv-0", ProviderVolumeID: "vol-0", VolumeType: "io2", VolumeAZ: "c", VolumeIOPS: &fast},
			Status: volume.NativeSnapshotStatus{ProviderSnapshotID: "snap-0", Phase: volume.PhaseCompleted},
		},
		{ // gp3 has IOPS that Velero does not send back, the PV's zone stands in
			Spec:   volume.NativeSnapshotSpec{BackupName: "b", BackupUID: "uid", Location: "aws", PersistentVolumeName: "pv-3", ProviderVolumeID: "vol-3", VolumeType: "gp3", VolumeAZ: "b", VolumeIOPS: &none},
			Status: volume.NativeSnapshotStatus{Phase: volume.PhaseFailed},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if empty := nativeSnapshotList(p, &backup.FinalVolumes{}); empty == nil || len(empty) != 0 {
		t.Errorf("none is %#v: the file would say null", empty)
	}
}

func TestVolumeCounts(t *testing.T) {
	p, final := ending()
	want := contract.VolumeCounts{NativeAttempted: 2, NativeCompleted: 1, CSIAttempted: 2, CSICompleted: 1, HooksAttempted: 3, HooksFailed: 1}
	if got := volumeCounts(final, &p.Volumes); got != want {
		t.Errorf("got %+v", got)
	}
}

// TestBackupOfNothing: a backup without objects says so, unless it says why already.
func TestBackupOfNothing(t *testing.T) {
	for code, want := range map[report.Code]int{report.GlobEmpty: 2, report.ListFailed: 1} {
		st := memstore.New()
		run := &backup.Run{Store: st, Staging: repository.NewStaging(st, "uid"), Plan: *backuptest.Plan("")}
		run.Plan.Reasons = []report.Reason{report.New(code, "")}
		s, err := readStaged(t.Context(), &backup.Service{}, run, nil)
		if err != nil || len(s.reasons) != want {
			t.Errorf("%s: %v, %v", code, s, err)
		}
	}
}
