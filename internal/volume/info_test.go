package volume

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The JSON below has the fields, and their letters, of Velero's own files.
func TestInfoIsVelerosJSON(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	for name, tc := range map[string]struct {
		info Info
		want string
	}{
		"skipped": {
			Info{PVName: "pv", Skipped: true, SkippedReason: "why", PV: &PVInfo{ReclaimPolicy: "Delete"}},
			`{"pvName":"pv","snapshotDataMoved":false,"preserveLocalSnapshot":false,"skipped":true,"skippedReason":"why","pvInfo":{"reclaimPolicy":"Delete","labels":null}}`,
		},
		"csi": {
			Info{PVCName: "c", PVCNamespace: "n", PVName: "pv", BackupMethod: VeleroCSI, StartTimestamp: &at, CompletionTimestamp: &at, Result: Succeeded, CSI: &CSIInfo{SnapshotHandle: "snap-1", Size: 5, Driver: "d", VSCName: "vsc", OperationID: "op", ReadyToUse: set(true)}},
			`{"pvcName":"c","pvcNamespace":"n","pvName":"pv","backupMethod":"CSISnapshot","snapshotDataMoved":false,"preserveLocalSnapshot":false,"skipped":false,"startTimestamp":"2026-01-02T03:04:05Z","completionTimestamp":"2026-01-02T03:04:05Z","result":"succeeded","csiSnapshotInfo":{"snapshotHandle":"snap-1","size":5,"driver":"d","vscName":"vsc","operationID":"op","ReadyToUse":true}}`,
		},
		"native": {
			Info{PVName: "pv", BackupMethod: VeleroNative, Native: &NativeInfo{SnapshotHandle: "snap-1", VolumeType: "gp3", VolumeAZ: "a", IOPS: "0", Phase: PhaseCompleted}},
			`{"pvName":"pv","backupMethod":"NativeSnapshot","snapshotDataMoved":false,"preserveLocalSnapshot":false,"skipped":false,"nativeSnapshotInfo":{"snapshotHandle":"snap-1","volumeType":"gp3","volumeAZ":"a","iops":"0","Phase":"Completed"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(tc.info)
			if err != nil || string(got) != tc.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, tc.want)
			}
			var back Info
			if err := json.Unmarshal(got, &back); err != nil || !sameJSON(t, back, tc.info) {
				t.Errorf("read back %+v, %v", back, err)
			}
		})
	}
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

func TestInfoOfOlderWriters(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []Info
	}{
		"null":         {`null`, nil},
		"none":         {`[]`, []Info{}},
		"null entry":   {`[null]`, []Info{{}}},
		"nulls":        {`[{"pvName":"pv","backupMethod":null,"csiSnapshotInfo":null,"pvInfo":null,"startTimestamp":null}]`, []Info{{PVName: "pv"}}},
		"every part":   {`[{"pvName":"pv","backupMethod":"NativeSnapshot","csiSnapshotInfo":{"snapshotHandle":"","size":0,"driver":"","vscName":""},"snapshotDataMovementInfo":{"dataMover":"","uploaderType":"","retainedSnapshot":"","snapshotHandle":"","operationID":"","size":0},"nativeSnapshotInfo":{"snapshotHandle":"snap-1","volumeType":"io1","volumeAZ":"a","iops":"3000"},"pvbInfo":{"snapshotHandle":"","size":0,"uploaderType":"","volumeName":"","podName":"","podNamespace":""},"pvInfo":{"reclaimPolicy":"","labels":null}}]`, []Info{{PVName: "pv", BackupMethod: VeleroNative, Native: &NativeInfo{SnapshotHandle: "snap-1", VolumeType: "io1", VolumeAZ: "a", IOPS: "3000"}}}},
		"iops, number": {`[{"nativeSnapshotInfo":{"iops":3000}}]`, []Info{{Native: &NativeInfo{IOPS: "3000"}}}},
		"bad time":     {`[{"pvName":"pv","startTimestamp":"yesterday","completionTimestamp":7}]`, []Info{{PVName: "pv"}}},
		"newer fields": {`[{"pvName":"pv","tomorrow":{"x":1}}]`, []Info{{PVName: "pv"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []Info
			if err := json.Unmarshal([]byte(tc.text), &got); err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v (%v), want %+v", got, err, tc.want)
			}
		})
	}
	for _, text := range []string{`{}`, `[1]`, `["x"]`, `[{"pvName":7}]`, `[{"csiSnapshotInfo":[]}]`, `[{"nativeSnapshotInfo":3}]`} {
		var got []Info
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is read as %+v", text, got)
		}
	}
}

func TestNativeSnapshotIsVelerosJSON(t *testing.T) {
	const text = `{"spec":{"backupName":"b","backupUID":"u","location":"aws","persistentVolumeName":"pv","providerVolumeID":"vol-1","volumeType":"io1","volumeAZ":"a","volumeIOPS":3000},"status":{"providerSnapshotID":"snap-1","phase":"Completed"}}`
	var s NativeSnapshot
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(s); err != nil || string(got) != text {
		t.Errorf("got %s (%v)", got, err)
	}
}

// Whatever is read can be written, and reads the same again.
func FuzzInfo(f *testing.F) {
	f.Add([]byte(`[{"pvName":"pv","backupMethod":"CSISnapshot","csiSnapshotInfo":{"snapshotHandle":"s","ReadyToUse":true},"startTimestamp":"2026-01-02T03:04:05Z"}]`))
	f.Add([]byte(`[{"nativeSnapshotInfo":{"iops":1e3}},null]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var infos, again []Info
		if json.Unmarshal(data, &infos) != nil {
			return
		}
		text, err := json.Marshal(infos)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &again); err != nil || !sameJSON(t, infos, again) {
			t.Errorf("%s reads as %+v, %v", text, again, err)
		}
	})
}
