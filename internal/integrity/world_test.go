package integrity_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/integrity"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/verification"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// provider has snapshots by their names, and says of those that it does not have that they are
// absent.
type provider struct {
	all   map[string]volume.Inspection
	err   error
	asked []string
}

func (p *provider) Inspect(_ context.Context, owner volume.Owner, refs []volume.Ref) ([]volume.Inspection, error) {
	var out []volume.Inspection
	for _, ref := range refs {
		p.asked = append(p.asked, owner.Name+" "+ref.String())
		one, ok := p.all[ref.String()]
		if !ok {
			one = volume.Inspection{Presence: volume.Absent, Reason: "does not exist"}
		}
		out = append(out, one)
	}
	return out, p.err
}

const (
	nativeSnapshot = "snapshot snap-a of volume pv-a"
	csiSnapshot    = "snapshot snap-b of driver ebs.csi.aws.com"
)

func newProvider() *provider {
	here := volume.Inspection{Presence: volume.Present}
	return &provider{all: map[string]volume.Inspection{nativeSnapshot: here, csiSnapshot: here}}
}

// world is a location with the backup "b" of the cluster "prod" in it.
type world struct {
	*memstore.Store
	snapshots *provider
	blocks    volume.BlockSampler
	policy    verification.Policy
}

func day(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Store: memstore.New(), snapshots: newProvider(), policy: verification.Policy{Every: verification.Every, Round: time.Hour}}
	w.storeBackup(t, "b", "uid-b", "prod", day(1))
	return w
}

func (w *world) runner() *integrity.Runner {
	return integrity.New("prod", repositorytest.Locations(repositorytest.Stores{"default": w.Store}), w.policy,
		map[volume.Method]volume.Inspector{volume.MethodNative: w.snapshots, volume.MethodCSI: w.snapshots}).WithBlocks(w.blocks)
}

// verify verifies a backup and wants no error.
func (w *world) verify(t *testing.T, name, uid string) contract.VerifiedBackup {
	t.Helper()
	res, err := w.runner().Verify(t.Context(), &heartbeat.Recorder{}, contract.VerifyStoredInput{Name: name, UID: uid})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// wantOutcome verifies the backup "b".
func (w *world) wantOutcome(t *testing.T, want string) contract.VerifiedBackup {
	t.Helper()
	res := w.verify(t, "b", "uid-b")
	if res.Outcome != want {
		t.Fatalf("%+v, want %s", res, want)
	}
	return res
}

// storeBackup stores a backup as a run does, of objects in several members and of two volumes.
func (w *world) storeBackup(t *testing.T, name, uid, cluster string, made time.Time) {
	t.Helper()
	l := layout.Backup{Name: name}
	var refs []archive.ChunkRef
	writer := archive.NewWriter(archive.DefaultLimits(), made, func(c archive.Chunk) error {
		key := fmt.Sprintf("%schunk-%d", layout.Staging(uid), len(refs))
		w.Set(key, c.Staged)
		refs = append(refs, c.Ref(key))
		return nil
	})
	for i := range 300 {
		body := fmt.Appendf(nil, `{"metadata":{"name":"c%d","namespace":"shop"},"data":{"x":%q}}`, i, uid)
		if err := writer.Add(archive.Key{Resource: "configmaps", Version: "v1", Namespace: "shop", Name: fmt.Sprint("c", i)}, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Flush(); err != nil {
		t.Fatal(err)
	}
	assembly, err := archive.Assemble(refs, made)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(repository.Compose(t.Context(), w, l.Tarball(), assembly.Tarball), repository.Compose(t.Context(), w, l.Index(), assembly.Index))
	if err != nil {
		t.Fatal(err)
	}
	files := assembly.Files(l)
	for key, text := range map[string]string{
		l.VolumeSnapshots(): `[{"spec":{"location":"east","persistentVolumeName":"pv-a"},"status":{"providerSnapshotID":"snap-a","phase":"Completed"}},{"spec":{"location":"east"},"status":{"phase":"Failed"}}]`,
		l.VolumeInfo():      `[{"pvName":"pv-b","backupMethod":"CSISnapshot","result":"succeeded","csiSnapshotInfo":{"snapshotHandle":"snap-b","driver":"ebs.csi.aws.com"}}]`,
		l.Results():         `{}`,
		l.Logs():            `"log"`,
	} {
		f, err := repository.PutGzipJSON(t.Context(), w, key, json.RawMessage(text))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	manifest, err := archive.EncodeManifest(archive.Manifest{
		Backup: name, UID: uid, Cluster: cluster, Created: made, Files: files, Directory: assembly.Directory, Totals: assembly.Totals,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Set(l.Manifest(), manifest)
	doc := &velerov1.Backup{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid), Annotations: map[string]string{
		repository.AnnotationUID: uid, repository.AnnotationManifest: archive.Digest(manifest),
	}}}
	at := metav1.NewTime(made)
	doc.Status = velerov1.BackupStatus{Phase: velerov1.BackupPhaseCompleted, StartTimestamp: &at, CompletionTimestamp: &at}
	if err := repository.CommitBackup(t.Context(), w, doc); err != nil {
		t.Fatal(err)
	}
	for _, key := range w.Keys() {
		if strings.HasPrefix(key, layout.Staging(uid)) {
			w.Remove(key)
		}
	}
}

// storeVelero stores a backup that Velero has made.
func (w *world) storeVelero(t *testing.T, name string) {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	for path, body := range map[string]string{"metadata/version": "1.1.0\n", "resources/configmaps/namespaces/shop/c.json": `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"shop"}}`} {
		if err := tw.WriteHeader(&tar.Header{Name: path, Size: int64(len(body)), Mode: 0o755, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	l := layout.Backup{Name: name}
	w.Set(l.Tarball(), buf.Bytes())
	for key, text := range map[string]string{
		l.VolumeSnapshots(): `[{"spec":{"location":"east","persistentVolumeName":"pv-a"},"status":{"providerSnapshotID":"snap-a"}}]`,
		l.Results():         `{}`,
	} {
		data, err := repository.EncodeGzipJSON(json.RawMessage(text))
		if err != nil {
			t.Fatal(err)
		}
		w.Set(key, data)
	}
	w.Set(l.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":"uid-%s"},"status":{"phase":"Completed","startTimestamp":"2026-03-01T00:00:00Z","completionTimestamp":"2026-03-01T00:00:00Z"}}`, name, name))
}

// filesOf are the keys of a backup.
func (w *world) filesOf(name string) []string {
	return slices.DeleteFunc(w.Keys(), func(key string) bool { return !strings.HasPrefix(key, layout.BackupDir(name)) })
}

// contentsOf are the files of a backup with their contents.
func (w *world) contentsOf(name string) map[string]string {
	out := map[string]string{}
	for _, key := range w.filesOf(name) {
		body, _ := w.Object(key)
		out[key] = string(body)
	}
	return out
}
