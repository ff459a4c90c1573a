package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// putList stores a list as Velero stores one.
func putList(t *testing.T, st *memstore.Store, key, text string) []byte {
	t.Helper()
	data, err := repository.EncodeGzipJSON(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	st.Set(key, data)
	return data
}

// readerOf reads one location, in which lies the backup "b".
func readerOf(t *testing.T, files map[string]string) (*Reader, *memstore.Store) {
	t.Helper()
	l := layout.Backup{Name: "b"}
	st := memstore.New(memstore.WithObjects(map[string][]byte{
		l.Metadata(): []byte(`{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":"b"},"status":{"phase":"Completed","volumeSnapshotsAttempted":2}}`),
		l.Tarball():  []byte("tar"),
	}))
	for key, text := range files {
		putList(t, st, key, text)
	}
	return readerOver(repositorytest.Stores{"default": st}), st
}

func readB(t *testing.T, c *Reader) contract.ReadResult {
	t.Helper()
	res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackup, Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func wantVolumes(t *testing.T, got, want []contract.VolumeSummary) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", rows(got), rows(want))
	}
}

func rows(all []contract.VolumeSummary) string {
	var b strings.Builder
	for _, v := range all {
		fmt.Fprintf(&b, "%+v\n", v)
	}
	return b.String()
}

// veleroInfos is what Velero 1.18 writes, with its "unknown" for a snapshot that was
// moved and its empty strings.
const veleroInfos = `[
 {"pvcName":"data","pvcNamespace":"shop","pvName":"pvc-1","backupMethod":"NativeSnapshot","snapshotDataMoved":false,"preserveLocalSnapshot":false,"skipped":false,
  "startTimestamp":"2026-01-02T03:04:05Z","completionTimestamp":"2026-01-02T03:05:05Z","result":"succeeded",
  "nativeSnapshotInfo":{"snapshotHandle":"snap-1","volumeType":"gp3","volumeAZ":"eu-central-1a","iops":"0","Phase":"Completed"},"pvInfo":{"reclaimPolicy":"Delete","labels":{}}},
 {"pvcName":"logs","pvcNamespace":"shop","pvName":"pvc-2","backupMethod":"CSISnapshot","snapshotDataMoved":false,"preserveLocalSnapshot":true,"skipped":false,"result":"failed",
  "csiSnapshotInfo":{"snapshotHandle":"snap-2","size":1073741824,"driver":"ebs.csi.aws.com","vscName":"snapcontent-2","operationID":"shop/vs/1","ReadyToUse":true},"pvInfo":{"reclaimPolicy":"Delete","labels":null}},
 {"pvcName":"cold","pvcNamespace":"shop","pvName":"pvc-3","backupMethod":"CSISnapshot","snapshotDataMoved":true,"preserveLocalSnapshot":false,"skipped":false,"result":"succeeded",
  "csiSnapshotInfo":{"snapshotHandle":"unknown","size":0,"driver":"ebs.csi.aws.com","vscName":"unknown","operationID":"unknown","ReadyToUse":null},
  "snapshotDataMovementInfo":{"dataMover":"velero","uploaderType":"kopia","retainedSnapshot":"","snapshotHandle":"k1","operationID":"du-1","size":4096,"Phase":"Completed"}},
 {"pvcName":"","pvcNamespace":"","pvName":"","backupMethod":"PodVolumeBackup","snapshotDataMoved":false,"preserveLocalSnapshot":false,"skipped":false,"result":"succeeded",
  "pvbInfo":{"snapshotHandle":"k2","size":7,"uploaderType":"kopia","volumeName":"scratch","podName":"web-0","podNamespace":"shop","nodeName":"n","Phase":"Completed"}},
 {"pvcName":"tmp","pvcNamespace":"shop","pvName":"pvc-4","snapshotDataMoved":false,"preserveLocalSnapshot":false,"skipped":true,"skippedReason":"no applicable volumesnapshotter found"}
]`

func TestVolumesOfVelero(t *testing.T) {
	l := layout.Backup{Name: "b"}
	c, _ := readerOf(t, map[string]string{l.VolumeInfo(): veleroInfos})
	res := readB(t, c)
	wantVolumes(t, res.Volumes, []contract.VolumeSummary{
		{
			Namespace: "shop", Claim: "logs", PV: "pvc-2", Method: "CSISnapshot", Result: "failed", Snapshot: "snap-2", Bytes: 1 << 30,
			Driver: "ebs.csi.aws.com", Content: "snapcontent-2", Operation: "shop/vs/1",
		},
		{Namespace: "shop", Claim: "tmp", PV: "pvc-4", Skipped: true, SkippedReason: "no applicable volumesnapshotter found"},
		{Method: "PodVolumeBackup", Result: "succeeded", Snapshot: "k2", Bytes: 7, Pod: "shop/web-0", PodVolume: "scratch", Uploader: "kopia"},
		{
			Namespace: "shop", Claim: "cold", PV: "pvc-3", Method: "CSISnapshot", Result: "succeeded", Moved: true, Snapshot: "k1", Bytes: 4096,
			Driver: "ebs.csi.aws.com", Operation: "du-1", DataMover: "velero", Uploader: "kopia",
		},
		{Namespace: "shop", Claim: "data", PV: "pvc-1", Method: "NativeSnapshot", Result: "succeeded", Snapshot: "snap-1", Type: "gp3", Zone: "eu-central-1a", IOPS: "0"},
	})
	if res.MoreVolumes != 0 || res.Details.Bytes != 3 || res.Backup.Status.VolumeSnapshotsAttempted != 2 {
		t.Errorf("%d more, %+v, %+v", res.MoreVolumes, res.Details, res.Backup.Status)
	}
}

// Velero 1.13 wrote no result, and empty parts in place of absent ones.
func TestVolumesWithoutResult(t *testing.T) {
	const infos = `[
 {"pvName":"a","backupMethod":"NativeSnapshot","csiSnapshotInfo":{"ReadyToUse":null},"nativeSnapshotInfo":{"snapshotHandle":"snap-a","iops":"100","Phase":"Completed"},"pvbInfo":{}},
 {"pvName":"b","backupMethod":"NativeSnapshot","nativeSnapshotInfo":{"snapshotHandle":"","Phase":"Failed"}},
 {"pvName":"c","backupMethod":"CSISnapshot","csiSnapshotInfo":{"snapshotHandle":"snap-c","ReadyToUse":true}},
 {"pvName":"d","backupMethod":"CSISnapshot","csiSnapshotInfo":{"snapshotHandle":"snap-d"}},
 {"pvName":"e","backupMethod":"PodVolumeBackup","pvbInfo":{"podName":"p","podNamespace":"n","Phase":"Failed"}}]`
	c, _ := readerOf(t, map[string]string{layout.Backup{Name: "b"}.VolumeInfo(): infos})
	got := map[string]string{}
	for _, v := range readB(t, c).Volumes {
		got[v.PV] = v.Result
	}
	for pv, want := range map[string]string{"a": "succeeded", "b": "failed", "c": "succeeded", "d": "", "e": "failed"} {
		if got[pv] != want {
			t.Errorf("%s: %q, want %q", pv, got[pv], want)
		}
	}
}

// Velero up to 1.12 wrote no volumeinfo; lists may be null.
func TestVolumesOfOldVelero(t *testing.T) {
	l := layout.Backup{Name: "b"}
	c, s := readerOf(t, map[string]string{
		l.VolumeSnapshots():  `[{"spec":{"backupName":"b","location":"default","persistentVolumeName":"pv-1","volumeType":"io1","volumeAZ":"z","volumeIOPS":100},"status":{"providerSnapshotID":"snap-1","phase":"Completed"}}]`,
		l.PodVolumeBackups(): `[{"metadata":{"annotations":{"velero.io/pvc-name":"c"}},"spec":{"pod":{"namespace":"n","name":"p"},"volume":"v","uploaderType":"restic"},"status":{"phase":"Failed","snapshotID":"r1"}}]`,
		l.CSIVolumeSnapshots(): `[{"metadata":{"namespace":"n","name":"vs"},"spec":{"source":{"persistentVolumeClaimName":"d"}},"status":{"boundVolumeSnapshotContentName":"vsc"}},
			{"metadata":{"namespace":"n","name":"unbound"},"spec":{"source":{}}}]`,
		l.CSIVolumeSnapshotContents(): `[{"metadata":{"name":"vsc"},"spec":{"driver":"d1"},"status":{"snapshotHandle":"snap-2","restoreSize":5,"readyToUse":true}},{"metadata":{"name":"lone"},"spec":{"driver":"d1"}}]`,
	})
	want := []contract.VolumeSummary{
		{Namespace: "n", Claim: "c", Method: "PodVolumeBackup", Snapshot: "r1", Result: "failed", Pod: "n/p", PodVolume: "v", Uploader: "restic"},
		{Method: "CSISnapshot", Driver: "d1", Content: "lone"},
		{PV: "pv-1", Method: "NativeSnapshot", Snapshot: "snap-1", Zone: "z", Result: "succeeded", Type: "io1", IOPS: "100"},
		{Namespace: "n", Claim: "d", Method: "CSISnapshot", Snapshot: "snap-2", Bytes: 5, Result: "succeeded", Driver: "d1", Content: "vsc"},
	}
	wantVolumes(t, readB(t, c).Volumes, want)
	for _, key := range []string{l.VolumeSnapshots(), l.PodVolumeBackups(), l.CSIVolumeSnapshots(), l.CSIVolumeSnapshotContents()} {
		putList(t, s, key, "null")
	}
	wantVolumes(t, readB(t, c).Volumes, nil)
}

// What an answer has no room for is counted; failed volumes and skipped ones have room.
func TestVolumesBeyondAnAnswer(t *testing.T) {
	var entries []string
	for i := range 1200 {
		entries = append(entries, fmt.Sprintf(`{"pvName":"pv-%04d","backupMethod":"CSISnapshot","result":"succeeded"}`, i))
	}
	entries[1100] = `{"pvName":"bad","backupMethod":"CSISnapshot","result":"failed"}`
	entries[1150] = `{"pvName":"left","skipped":true,"skippedReason":"r"}`
	list := "[" + strings.Join(entries, ",") + "]"
	c, s := readerOf(t, map[string]string{layout.Backup{Name: "b"}.VolumeInfo(): list})
	res := readB(t, c)
	if len(res.Volumes) != 500 || res.MoreVolumes != 700 || res.Volumes[0].PV != "bad" || res.Volumes[1].PV != "left" || res.Volumes[2].PV != "pv-0000" {
		t.Errorf("%d volumes, %d more; %+v", len(res.Volumes), res.MoreVolumes, res.Volumes[:3])
	}
	s.Set(repository.RestoreDocumentKey("r"), []byte(`{"metadata":{"name":"r"}}`))
	putList(t, s, layout.Restore{Name: "r"}.VolumeInfo(), strings.ReplaceAll(list, "backupMethod", "restoreMethod"))
	res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadRestore, Name: "r"})
	if err != nil || len(res.Volumes) != 500 || res.MoreVolumes != 700 || res.Volumes[9].Method != "CSISnapshot" {
		t.Errorf("restore: %d volumes, %d more: %v", len(res.Volumes), res.MoreVolumes, err)
	}
}

// A file of ours that is not what the manifest says is damage, not an empty list.
func TestVolumesDamaged(t *testing.T) {
	l := layout.Backup{Name: "b"}
	c, s := readerOf(t, nil)
	info := putList(t, s, l.VolumeInfo(), "[]")
	manifest, err := archive.EncodeManifest(archive.Manifest{
		Backup: "b", UID: "u", Cluster: "prod",
		Files:     []archive.File{archive.NewFile(l.Tarball(), []byte("tar")), archive.NewFile(l.Index(), []byte("index")), archive.NewFile(l.VolumeInfo(), info)},
		Directory: archive.Range{Offset: 1, Size: 4, SHA256: archive.Digest([]byte("ndex"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Set(l.Manifest(), manifest)
	// Other files are not asked: a backup of ours has volumeinfo.
	s.Set(l.VolumeSnapshots(), []byte("never read"))
	if res := readB(t, c); res.Volumes != nil || res.Details.Cluster != "prod" {
		t.Errorf("%+v", res)
	}
	for name, damage := range map[string]func(){
		"other bytes": func() { putList(t, s, l.VolumeInfo(), `[{"pvName":"x"}]`) },
		"no file":     func() { s.Remove(l.VolumeInfo()) },
	} {
		damage()
		_, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackup, Name: "b"})
		if !errors.Is(err, archive.ErrCorrupt) || !strings.Contains(err.Error(), "volumeinfo") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
