package deletion

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
)

// runnerOf has one location of backups, with the Velero backup "b" in it, and
// locations of snapshots.
func runnerOf(t *testing.T, files map[string][]byte, locations ...string) (*Runner, *memstore.Store) {
	t.Helper()
	st := memstore.New(memstore.WithObjects(files))
	st.Set(layout.Backup{Name: "b"}.Metadata(), []byte(`{"metadata":{"name":"b","uid":"u"}}`))
	l := repositorytest.Locations(repositorytest.Stores{"default": st})
	snapshots := location.New(snapshotLocations(locations...).Config(), func(context.Context, *velerov1.VolumeSnapshotLocation) (*ebs.Location, error) { return nil, nil })
	return &Runner{Kube: cluster(t, "ours"), Snapshots: snapshots, Locations: l, Deleters: map[volume.Method]volume.Deleter{
		volume.MethodNative: &native.Deleter{Locations: snapshots}, volume.MethodCSI: &csi.Deleter{},
	}}, st
}

// cluster is a client of an empty cluster of that identity.
func cluster(t *testing.T, uid string) *kube.Client {
	t.Helper()
	return kubetest.Start(t, kubetest.WithIdentity(uid)).Client()
}

// errRetained is what a store says of a locked file.
var errRetained = fmt.Errorf("COMPLIANCE until 2030: %w", store.ErrLocked)

// lockVersions locks the files of the backup whose keys end so, in a bucket with versions: a
// deletion would hide them.
func lockVersions(st *memstore.Store, suffix string) {
	for _, key := range st.Keys() {
		if strings.HasPrefix(key, layout.BackupsDir) && strings.HasSuffix(key, suffix) {
			st.Lock(key, errRetained)
		}
	}
}

// lock puts the files whose keys contain a text under a retention lock.
func lock(st *memstore.Store, text string) {
	st.Fail(memstore.On(memstore.OpDelete).Key(text), errRetained)
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	data, err := repository.EncodeGzipJSON(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tarballOf is Velero's, of these VolumeSnapshotContents.
func tarballOf(t *testing.T, contents ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	add := func(name, body string) {
		if err := tw.WriteHeader(&tar.Header{Name: name, Size: int64(len(body)), Mode: 0o755, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, body); err != nil {
			t.Fatal(err)
		}
	}
	add("metadata/version", "1.1.0")
	for i, c := range contents {
		name := fmt.Sprintf("c%d", i)
		add("resources/"+resource.VolumeSnapshotContents+"/cluster/"+name+".json", strings.Replace(c, "NAME", name, 1))
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// aContent is one with labels, spec and status.
func aContent(labels, spec, status string) string {
	return `{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotContent","metadata":{"name":"NAME","labels":{` + labels + `},
"annotations":{"x":"y","snapshot.storage.kubernetes.io/deletion-secret-name":"s"}},"spec":{"driver":"d"` + spec + `},"status":{` + status + `}}`
}

const (
	ofB     = `"velero.io/backup-name":"b"`
	nativeA = `{"spec":{"location":"east","persistentVolumeName":"pv-a"},"status":{"providerSnapshotID":"snap-a"}}`
	infoA   = `{"pvName":"pv-a","backupMethod":"NativeSnapshot","nativeSnapshotInfo":{"snapshotHandle":"snap-a"}}`
	infoH   = `{"pvName":"pv-h","backupMethod":"CSISnapshot","csiSnapshotInfo":{"snapshotHandle":"h","driver":"d","vscName":"c0"}}`
	inFileH = `,"source":{"snapshotHandle":"h"}`
)

func TestPlanDelete(t *testing.T) {
	l := layout.Backup{Name: "b"}
	a := volume.NativeRef{Location: "east", ID: "snap-a", PV: "pv-a"}
	secret := map[string]string{"snapshot.storage.kubernetes.io/deletion-secret-name": "s"}
	h := volume.CSIRef{Driver: "d", Handle: "h", Content: "c0", Annotations: secret}
	bare := volume.CSIRef{Driver: "d", Handle: "h", Content: "c0"}
	whole := tarballOf(t, aContent(ofB, inFileH, ""))
	broken := zipped(t, "[]")[:15]
	type files = map[string][]byte
	for name, tc := range map[string]struct {
		files     files
		locations []string
		native    []volume.NativeRef
		csi       []volume.CSIRef
		unread    []string // one phrase of each line
	}{
		"nothing but files": {files{l.Tarball(): tarballOf(t)}, nil, nil, nil, nil},
		"native": {
			files{l.VolumeSnapshots(): zipped(t, `[`+nativeA+`,{"spec":{"location":"west"},"status":{"phase":"Failed"}}]`), l.VolumeInfo(): zipped(t, "["+infoA+"]")},
			[]string{"east"},
			[]volume.NativeRef{a},
			nil, nil,
		},
		"CSI": {files{l.VolumeInfo(): zipped(t, "["+infoH+"]"), l.Tarball(): whole}, nil, nil, []volume.CSIRef{h}, nil},
		"CSI without volumeinfo": {
			files{l.Tarball(): tarballOf(t, aContent(ofB, `,"volumeSnapshotClassName":"k","sourceVolumeMode":"Block"`, `"snapshotHandle":"h","volumeGroupSnapshotHandle":"g"`))},
			nil, nil,
			[]volume.CSIRef{{Driver: "d", Handle: "h", Content: "c0", Annotations: secret, Class: "k", SourceMode: "Block", Group: "g"}},
			nil,
		},
		"CSI of a file of old": {files{l.Tarball(): tarballOf(t), l.CSIVolumeSnapshotContents(): zipped(t, "["+strings.Replace(aContent(ofB, inFileH, ""), "NAME", "c0", 1)+"]")}, nil, nil, []volume.CSIRef{h}, nil},
		"contents that are not the backup's": {
			files{l.Tarball(): tarballOf(t, aContent("", inFileH, ""), aContent(`"velero.io/backup-name":"c"`, inFileH, ""), aContent(ofB+`,"velero.io/restore-name":"r"`, inFileH, ""), aContent(ofB, "", ""))},
			nil, nil, nil, nil,
		},
		"one of them in volumeinfo": {files{l.Tarball(): tarballOf(t, aContent("", inFileH, "")), l.VolumeInfo(): zipped(t, "["+infoH+"]")}, nil, nil, nil, []string{"snapshot h of driver d of volume pv-h"}},
		"data moved": {
			files{l.Tarball(): tarballOf(t), l.VolumeInfo(): zipped(t, `[{"pvName":"a","snapshotDataMoved":true,"csiSnapshotInfo":{"snapshotHandle":"h","driver":"d"}},{"pvName":"b","csiSnapshotInfo":{"snapshotHandle":"unknown","driver":"d"}}]`)},
			nil, nil, nil,
			[]string{"data of 1 volumes in Velero's repository (kopia or restic) in the bucket: volume a; Lifeboat does not delete it"},
		},
		"files of pods": {
			files{l.Tarball(): tarballOf(t), l.PodVolumeBackups(): zipped(t, `[{"spec":{"pod":{"namespace":"shop","name":"db-0"},"volume":"data","uploaderType":"kopia"},"status":{"snapshotID":"k1"}},{"spec":{"volume":"failed"},"status":{}}]`)},
			nil, nil, nil,
			[]string{"data of 1 volumes in Velero's repository (kopia or restic) in the bucket: volume data of pod shop/db-0 (k1)"},
		},
		"tarball cut off":      {files{l.Tarball(): whole[:len(whole)-9], l.VolumeInfo(): zipped(t, "["+infoH+"]")}, nil, nil, []volume.CSIRef{bare}, []string{"b.tar.gz"}},
		"tarball gone":         {files{l.VolumeInfo(): zipped(t, "["+infoH+"]")}, nil, nil, []volume.CSIRef{bare}, []string{"b.tar.gz is missing"}},
		"tarball not needed":   {files{l.VolumeInfo(): zipped(t, "["+infoA+"]")}, nil, nil, nil, nil},
		"volumeinfo damaged":   {files{l.VolumeInfo(): broken, l.Tarball(): whole}, nil, nil, []volume.CSIRef{h}, []string{"volumeinfo"}},
		"natives damaged":      {files{l.VolumeSnapshots(): broken, l.VolumeInfo(): zipped(t, "["+infoA+"]")}, []string{"east"}, []volume.NativeRef{a}, nil, []string{"volumesnapshots"}},
		"natives damaged, two": {files{l.VolumeSnapshots(): broken, l.VolumeInfo(): zipped(t, "["+infoA+"]")}, []string{"east", "west"}, nil, nil, []string{"volumesnapshots", "snapshot snap-a of volume pv-a: what is left"}},
		"manifest damaged":     {files{l.Manifest(): []byte("{"), l.VolumeInfo(): zipped(t, "["+infoH+"]")}, nil, nil, []volume.CSIRef{bare}, []string{"manifest"}},
		"manifest damaged, another's content": {
			files{l.Manifest(): []byte("{"), l.VolumeInfo(): zipped(t, "["+infoH+"]"), l.CSIVolumeSnapshotContents(): zipped(t, "["+aContent("", inFileH, "")+"]")},
			nil, nil, nil,
			[]string{"manifest", "no VolumeSnapshotContent of its own"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, c := runnerOf(t, tc.files, tc.locations...)
			plan, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: "b"})
			if err != nil {
				t.Fatal(err)
			}
			var stone beside.Tombstone
			if err := repository.GetJSON(t.Context(), c, layout.Tombstone("b"), &stone); err != nil {
				t.Fatal(err)
			}
			if got := stone.Snapshots; !slices.Equal(got.Native, tc.native) || !(len(got.CSI) == 0 && len(tc.csi) == 0 || reflect.DeepEqual(got.CSI, tc.csi)) {
				t.Errorf("%+v", got)
			}
			if !slices.EqualFunc(plan.Unread, tc.unread, strings.Contains) || plan.Snapshots != len(tc.native)+len(tc.csi) || plan.UID != "u" || plan.Files != len(tc.files)+1 {
				t.Errorf("%+v", plan)
			}
			c.Remove(l.Metadata())
			if again, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: "b"}); err != nil || again.Snapshots != plan.Snapshots || len(again.Unread) != len(plan.Unread) {
				t.Errorf("from the tombstone: %+v, %v", again, err)
			}
		})
	}
}

// TestLongName: a Velero backup of a longer name than a label can hold is deleted with its snapshots,
// which carry the name as Velero shortens it.
func TestLongName(t *testing.T) {
	const long = "production-eu-central-1-customer-portal-full-nightly-backup-20260101020000"
	label := resource.LabelValue(long)
	if len(long) <= 63 || len(label) != 63 || !strings.HasPrefix(label, long[:57]) {
		t.Fatalf("%s is shortened to %s", long, label)
	}
	l := layout.Backup{Name: long}
	b, c := runnerOf(t, map[string][]byte{
		l.Metadata(): fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":"long"}}`, long),
		l.Tarball():  tarballOf(t, aContent(`"velero.io/backup-name":"`+label+`"`, inFileH, "")),
	})
	plan, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: long})
	if err != nil || plan.Snapshots != 1 || plan.Files != 2 || len(plan.Unread) > 0 {
		t.Fatalf("%+v, %v", plan, err)
	}
	if _, err := b.DeleteFiles(t.Context(), &heartbeat.Recorder{}, plan); err != nil {
		t.Fatal(err)
	}
	for _, key := range c.Keys() {
		if strings.HasPrefix(key, layout.BackupsDir+long) {
			t.Errorf("%s is left", key)
		}
	}
}

// TestPlanDeleteWritesNothing where the deletion cannot go through, or not yet.
func TestPlanDeleteWritesNothing(t *testing.T) {
	l := layout.Backup{Name: "b"}
	natives := zipped(t, "["+nativeA+"]")
	for name, tc := range map[string]struct {
		locations []string
		lost      error
		kind      string
		phrase    string
	}{
		"unknown location": {[]string{"west"}, nil, contract.ErrTypeInvalid, `retained: location east unknown: snapshot snap-a is in it; add it to volumeSnapshotLocations`},
		"none":             {nil, nil, contract.ErrTypeInvalid, "under that very name"},
		"store away":       {[]string{"east"}, errors.New("no answer"), "", "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			b, c := runnerOf(t, map[string][]byte{l.VolumeSnapshots(): natives, l.Tarball(): tarballOf(t)}, tc.locations...)
			if tc.lost != nil {
				c.Fail(memstore.On(memstore.OpGet, memstore.OpGetRange).Key(".tar.gz"), tc.lost)
			}
			_, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: "b"})
			if err == nil || failure.TypeOf(err) != tc.kind || !strings.Contains(err.Error(), tc.phrase) || len(c.Keys()) != 3 {
				t.Errorf("%s: %v; %d files", failure.TypeOf(err), err, len(c.Keys()))
			}
		})
	}
}

// TestPlanDeleteInherits what an earlier deletion of the name had still to do.
func TestPlanDeleteInherits(t *testing.T) {
	l := layout.Backup{Name: "b"}
	b, _ := runnerOf(t, map[string][]byte{
		l.VolumeSnapshots(): zipped(t, "["+nativeA+"]"), l.Tarball(): tarballOf(t),
		layout.Tombstone("b"): []byte(`{"name":"b","uid":"old","snapshots":{"native":[{"location":"east","id":"snap-a","pv":"pv-a"},{"location":"east","id":"snap-o"}],"csi":[{"driver":"d","handle":"o"}],"unread":["x"]}}`),
	}, "east")
	plan, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: "b"})
	if err != nil || plan.Snapshots != 3 || plan.UID != "u" || len(plan.Unread) != 0 {
		t.Errorf("%+v, %v", plan, err)
	}
}

// TestDeleteLocked: a backup whose document or tarball is locked stays whole, whether the store
// refuses its deletion or would hide it, and is no longer under deletion.
func TestDeleteLocked(t *testing.T) {
	l := layout.Backup{Name: "b"}
	plan := contract.DeletePlan{Name: "b", Files: 2}
	for step, do := range map[string]func(*Runner) error{
		"plan": func(b *Runner) error {
			_, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: "b"})
			return err
		},
		"snapshots": func(b *Runner) error {
			_, err := b.DeleteSnapshots(t.Context(), &heartbeat.Recorder{}, plan)
			return err
		},
		"files": func(b *Runner) error { _, err := b.DeleteFiles(t.Context(), &heartbeat.Recorder{}, plan); return err },
	} {
		for kind, put := range map[string]func(*memstore.Store){
			"document refused":         func(st *memstore.Store) { lock(st, "velero-backup.json") },
			"document, with versions":  func(st *memstore.Store) { lockVersions(st, "velero-backup.json") },
			"tarball, with versions":   func(st *memstore.Store) { lockVersions(st, ".tar.gz") },
			"everything with versions": func(st *memstore.Store) { lockVersions(st, "") },
		} {
			files := map[string][]byte{l.Tarball(): tarballOf(t)}
			if step != "plan" {
				files[layout.Tombstone("b")] = []byte(`{"name":"b","snapshots":{"native":[{"location":"nowhere","id":"snap-a"}]}}`)
			} else if kind == "document refused" {
				continue // only the deletion tells
			}
			b, c := runnerOf(t, files)
			put(c)
			if err := do(b); failure.TypeOf(err) != contract.ErrTypeLocked || !strings.Contains(err.Error(), "nothing was deleted") || !strings.Contains(err.Error(), "until 2030") {
				t.Errorf("%s, %s: %v", step, kind, err)
			}
			if c.Has(layout.Tombstone("b")) || !c.Has(l.Metadata()) || !c.Has(l.Tarball()) {
				t.Errorf("%s, %s: left %q", step, kind, c.Keys())
			}
		}
	}
}

// Locked files beside document and tarball are told. The tarball of a backup whose document is
// gone is one of them.
func TestDeleteRetainsLockedFiles(t *testing.T) {
	l := layout.Backup{Name: "b"}
	for name, put := range map[string]func(*memstore.Store, string){"refused": lock, "with versions": lockVersions} {
		b, c := runnerOf(t, map[string][]byte{l.Tarball(): nil, l.Logs(): nil, layout.Tombstone("b"): []byte(`{"name":"b"}`)})
		c.Remove(l.Metadata())
		put(c, "b.tar.gz")
		res, err := b.DeleteFiles(t.Context(), &heartbeat.Recorder{}, contract.DeletePlan{Name: "b", Files: 3})
		if err != nil || res.Files != 2 || len(res.Retained) != 1 || !strings.Contains(res.Retained[0], "until 2030") || !slices.Equal(c.Keys(), []string{l.Tarball()}) {
			t.Errorf("%s: %+v, %v; left %q", name, res, err, c.Keys())
		}
	}
}

// Where the credentials may not read locks, the deletion goes on and says so.
func TestDeleteWhereLocksAreNotKnown(t *testing.T) {
	l := layout.Backup{Name: "b"}
	b, c := runnerOf(t, map[string][]byte{l.Tarball(): tarballOf(t)})
	c.Lock(l.Metadata(), store.ErrLockUnknown)
	c.Lock(l.Tarball(), store.ErrLockUnknown)
	plan, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: "b"})
	if err != nil || len(plan.Unread) != 1 || !strings.Contains(plan.Unread[0], "s3:GetObjectRetention") {
		t.Fatalf("%+v, %v", plan, err)
	}
	res, err := b.DeleteFiles(t.Context(), &heartbeat.Recorder{}, plan)
	if err != nil || res.Files != 2 || c.Has(l.Metadata()) || c.Has(l.Tarball()) {
		t.Errorf("%+v, %v; left %q", res, err, c.Keys())
	}
}

// TestOutcomes: one failure keeps no other snapshot, and what is told has an end.
func TestOutcomes(t *testing.T) {
	named := func(id string) volume.Ref { return volume.NativeRef{ID: id} }
	o := &outcomes{recorder: &heartbeat.Recorder{}}
	o.add(named("a"), volume.Deletion{Outcome: volume.Deleted}, nil)
	o.add(named("b"), volume.Deletion{Outcome: volume.Gone}, nil)
	o.add(named("d"), volume.Deletion{Outcome: volume.Retained, Reason: "locked"}, nil)
	res, err := o.sumUp()
	if err != nil || res.Deleted != 1 || res.Gone != 1 || !slices.Equal(res.Retained, []string{"snapshot d of volume : locked"}) {
		t.Errorf("%+v, %v", res, err)
	}
	for i := range 2000 {
		o.add(named(fmt.Sprintf("n%04d", i)), volume.Deletion{Outcome: volume.Retained, Reason: "locked"}, nil)
		o.add(named(fmt.Sprintf("n%04d", i)), volume.Deletion{}, ebs.ErrDenied)
	}
	res, err = o.sumUp()
	if n := len(res.Retained); n != linesRetained+1 || res.Retained[n-1] != "and 1001 snapshots more" {
		t.Errorf("%d lines, %q", n, res.Retained[n-1])
	}
	if failure.TypeOf(err) != contract.ErrTypeDenied || strings.Count(err.Error(), "\n") != errorsTold || !strings.HasSuffix(err.Error(), "and 1990 more") {
		t.Errorf("%s: %v", failure.TypeOf(err), err)
	}
}

func snapshotLocations(names ...string) *location.Set {
	cfg := &config.Config{}
	for _, name := range names {
		l := velerov1.VolumeSnapshotLocation{}
		l.Name, l.Spec.Provider, l.Spec.Config = name, "aws", map[string]string{"region": "eu-west-1"}
		cfg.VolumeSnapshotLocations = append(cfg.VolumeSnapshotLocations, l)
	}
	return location.New(cfg, location.OpenEBS(cfg, nil))
}

// TestDeleteLeavesNothing of the backup, nor of its catalog entry, and a listing finds none.
// The entry of a backup that stays, because its document is locked, is written again.
func TestDeleteLeavesNothing(t *testing.T) {
	for name, locked := range map[string]bool{"deleted": false, "locked": true} {
		t.Run(name, func(t *testing.T) {
			b, st := runnerOf(t, map[string][]byte{layout.Backup{Name: "b"}.Tarball(): tarballOf(t)})
			doc := &velerov1.Backup{}
			doc.Name, doc.UID, doc.Status.Phase = "b", "u", velerov1.BackupPhaseCompleted
			st.Remove(layout.Backup{Name: "b"}.Metadata())
			if err := errors.Join(repository.CommitBackup(t.Context(), st, doc), repository.RememberBackup(t.Context(), st, doc, 7)); err != nil {
				t.Fatal(err)
			}
			before := len(st.Keys())
			if locked {
				lock(st, "velero-backup.json")
			}
			plan, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: "b"})
			if err == nil {
				_, err = b.DeleteSnapshots(t.Context(), &heartbeat.Recorder{}, plan)
			}
			if err == nil {
				_, err = b.DeleteFiles(t.Context(), &heartbeat.Recorder{}, plan)
			}
			if locked != (err != nil) {
				t.Fatal(err)
			}
			page, _, err := (&repository.Listing{Store: st}).Page(t.Context(), "")
			left := slices.DeleteFunc(st.Keys(), func(key string) bool { return key == layout.ClusterName("prod") }) // the cluster keeps its name
			if err != nil || locked && (len(page) != 1 || len(left) != before) || !locked && (len(page) != 0 || len(left) != 0) {
				t.Errorf("%v, %v; left %q", page, err, left)
			}
		})
	}
}

// TestTombstoneSaysWhenTheBackupEnded: who deletes its snapshots goes by that, for a provider may
// still hide those of a young backup.
func TestTombstoneSaysWhenTheBackupEnded(t *testing.T) {
	l := layout.Backup{Name: "b"}
	b, st := runnerOf(t, map[string][]byte{l.Tarball(): tarballOf(t)})
	st.Set(l.Metadata(), []byte(`{"metadata":{"name":"b","uid":"u"},"status":{"completionTimestamp":"2026-03-01T00:00:00Z"}}`))
	if _, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	var stone beside.Tombstone
	if err := repository.GetJSON(t.Context(), st, layout.Tombstone("b"), &stone); err != nil || !stone.Ended.Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", stone, err)
	}
}
