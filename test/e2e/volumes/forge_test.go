//go:build stack

package volumes

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// The types of snapshots' objects.
const (
	volumeSnapshots  = "volumesnapshots.snapshot.storage.k8s.io"
	snapshotContents = "volumesnapshotcontents.snapshot.storage.k8s.io"
)

// forgery is a backup in Velero's form on its way into the bucket.
type forgery struct {
	l       *lab
	t       *testing.T
	name    string
	objects map[string]map[string]any // by path in the tarball
	infos   []volume.Info
	natives []volume.NativeSnapshot
}

func (l *lab) forge(t *testing.T, name string) *forgery {
	return &forgery{l: l, t: t, name: name + "-" + l.ID, objects: map[string]map[string]any{}}
}

// take adds an object as it is in the cluster and returns it, to be changed.
func (f *forgery) take(gr, ns, name string) map[string]any {
	f.t.Helper()
	obj := f.l.Object(f.t, gr, ns, name)
	if obj == nil {
		f.t.Fatalf("no %s %s/%s", gr, ns, name)
	}
	path := "resources/" + gr + "/cluster/" + name + ".json"
	if ns != "" {
		path = "resources/" + gr + "/namespaces/" + ns + "/" + name + ".json"
	}
	f.objects[path] = obj
	return obj
}

// native snapshots a claim's volume as Velero's plug-in for AWS does.
func (f *forgery) native(ns, claim string) ebs.Snapshot {
	f.t.Helper()
	ctx := f.t.Context()
	id := f.l.disk(f.t, ns, claim)
	found, err := f.l.ec2.Volumes(ctx, []string{id})
	if err != nil {
		f.t.Fatal(err)
	}
	pv := textAt(f.take("persistentvolumeclaims", ns, claim), "spec", "volumeName")
	object := f.take("persistentvolumes", "", pv)
	tags := ebs.Tags(found[id].Tags, nil, map[string]string{ebs.TagBackup: f.name, ebs.TagPV: pv, ebs.TagBackupUID: "uid-" + f.name})
	snap, err := f.l.ec2.Snapshot(ctx, "uid-"+f.name, ebs.Request{Volume: found[id], PV: pv, Tags: tags})
	if err != nil {
		f.t.Fatal(err)
	}
	eventually(f.t, "snapshot "+snap.ID, func() error {
		now, err := f.l.ec2.Snapshots(ctx, []string{snap.ID})
		if err == nil && now[snap.ID].State != ebs.SnapshotCompleted {
			err = fmt.Errorf("state %q", now[snap.ID].State)
		}
		return err
	})
	f.infos = append(f.infos, volume.Info{
		PVName: pv, PVCName: claim, PVCNamespace: ns, BackupMethod: volume.VeleroNative, Result: volume.Succeeded,
		Native: &volume.NativeInfo{SnapshotHandle: snap.ID, VolumeType: found[id].Type, VolumeAZ: found[id].Zone, IOPS: "0", Phase: volume.PhaseCompleted},
		PV:     &volume.PVInfo{ReclaimPolicy: textAt(object, "spec", "persistentVolumeReclaimPolicy")},
	})
	f.natives = append(f.natives, volume.NativeSnapshot{
		Spec:   volume.NativeSnapshotSpec{BackupName: f.name, BackupUID: "uid-" + f.name, Location: location, PersistentVolumeName: pv, ProviderVolumeID: id, VolumeType: found[id].Type, VolumeAZ: found[id].Zone},
		Status: volume.NativeSnapshotStatus{ProviderSnapshotID: snap.ID, Phase: volume.PhaseCompleted},
	})
	return snap
}

// csi snapshots a claim as Velero does: objects in the tarball, the content retained,
// nothing left in the cluster.
func (f *forgery) csi(ns, claim, class string) (handle string) {
	f.t.Helper()
	l, t, name := f.l, f.t, "velero-"+claim+"-"+f.name
	l.create(t, volumeSnapshots, ns, fmt.Sprintf(`{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshot","metadata":{"name":%q,"namespace":%q,"labels":{"velero.io/backup-name":%q}},
"spec":{"volumeSnapshotClassName":%q,"source":{"persistentVolumeClaimName":%q}}}`, name, ns, f.name, class, claim))
	var vs map[string]any
	eventually(t, "VolumeSnapshot "+name, func() error {
		vs = l.Object(t, volumeSnapshots, ns, name)
		if harness.At(vs, "status", "readyToUse") != true {
			return fmt.Errorf("not ready: %v", harness.At(vs, "status", "error"))
		}
		return nil
	})
	f.take(volumeSnapshots, ns, name)
	content := textAt(vs, "status", "boundVolumeSnapshotContentName")
	vsc := f.take(snapshotContents, "", content)
	mark(vsc, "labels", "velero.io/backup-name", f.name) // Velero deletes by it
	object := f.take("persistentvolumeclaims", ns, claim)
	mark(object, "annotations", "velero.io/volume-snapshot-name", name)
	mark(object, "labels", "velero.io/volume-snapshot-name", name)
	pv := f.take("persistentvolumes", "", textAt(object, "spec", "volumeName"))
	handle = textAt(vsc, "status", "snapshotHandle")
	ready := true
	f.infos = append(f.infos, volume.Info{
		PVName: textAt(pv, "metadata", "name"), PVCName: claim, PVCNamespace: ns, BackupMethod: volume.VeleroCSI, Result: volume.Succeeded,
		CSI: &volume.CSIInfo{SnapshotHandle: handle, Driver: textAt(vsc, "spec", "driver"), VSCName: content, Size: 2 << 30, ReadyToUse: &ready},
		PV:  &volume.PVInfo{ReclaimPolicy: "Retain", Labels: map[string]string{"team": "books", "topology.kubernetes.io/zone": "elsewhere"}},
	})
	l.kubectl(t, "", "patch", "volumesnapshotcontent", content, "--type=merge", "-p", `{"spec":{"deletionPolicy":"Retain"}}`)
	l.kubectl(t, "", "delete", "volumesnapshot", "-n", ns, name)
	return handle
}

func mark(obj map[string]any, where, key, value string) {
	meta, _ := obj["metadata"].(map[string]any)
	m, _ := meta[where].(map[string]any)
	if m == nil {
		m = map[string]any{}
		meta[where] = m
	}
	m[key] = value
}

// write puts the backup into the bucket, Velero's document last, and returns its name.
// Without volumeinfo it is like one of Velero 1.12.
func (f *forgery) write(withInfo bool) string {
	f.t.Helper()
	l := layout.Backup{Name: f.name}
	f.put(l.Tarball(), f.tarball())
	f.put(l.VolumeSnapshots(), f.zip(f.natives))
	if withInfo {
		f.put(l.VolumeInfo(), f.zip(f.infos))
	}
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	f.put(l.Metadata(), f.json(velerov1.Backup{
		TypeMeta:   metav1.TypeMeta{APIVersion: "velero.io/v1", Kind: "Backup"},
		ObjectMeta: metav1.ObjectMeta{Name: f.name, Namespace: "velero"},
		Status:     velerov1.BackupStatus{Phase: velerov1.BackupPhaseCompleted, FormatVersion: "1.1.0", Version: 1, StartTimestamp: &now, CompletionTimestamp: &now},
	}))
	return f.name
}

func (f *forgery) tarball() []byte {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	add := func(name string, body []byte) {
		err := tw.WriteHeader(&tar.Header{Name: name, Size: int64(len(body)), Mode: 0o755, Typeflag: tar.TypeReg})
		if err == nil {
			_, err = tw.Write(body)
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
	add("metadata/version", []byte("1.1.0"))
	for path, obj := range f.objects {
		add(path, f.json(obj))
	}
	if err := tw.Close(); err != nil {
		f.t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		f.t.Fatal(err)
	}
	return buf.Bytes()
}

func (f *forgery) json(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

func (f *forgery) zip(v any) []byte {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	if err := json.NewEncoder(zw).Encode(v); err != nil {
		f.t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		f.t.Fatal(err)
	}
	return buf.Bytes()
}

func (f *forgery) put(key string, data []byte) {
	f.t.Helper()
	if err := f.l.Store.Put(f.t.Context(), key, data, store.PutOptions{}); err != nil {
		f.t.Fatal(err)
	}
}
