//go:build stack

package volumes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// startDelete begins to delete a backup.
func (l *lab) startDelete(t *testing.T, backup string) client.WorkflowRun {
	t.Helper()
	run, err := l.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: contract.DeleteID(l.Cluster, backup), TaskQueue: contract.TaskQueue(l.Cluster),
	}, contract.DeleteBackupWorkflow, contract.DeleteBackupInput{Name: backup})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// delete deletes a backup; nothing of it is in the bucket afterwards.
func (l *lab) delete(t *testing.T, backup string) contract.DeleteResult {
	t.Helper()
	var res contract.DeleteResult
	if err := l.startDelete(t, backup).Get(t.Context(), &res); err != nil {
		t.Fatal(err)
	}
	l.nothingOf(t, backup)
	return res
}

// nothingOf: neither the bucket nor the cluster has anything of the backup.
func (l *lab) nothingOf(t *testing.T, backup string) {
	t.Helper()
	for _, dir := range []string{layout.BackupDir(backup), layout.Tombstone(backup)} {
		err := l.Store.List(t.Context(), dir, func(i store.Info) error {
			t.Errorf("left %s", i.Key)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if left := l.List(t, snapshotContents, "", "velero.io/backup-name="+backup); len(left) > 0 {
		t.Errorf("left %s", harness.Names(left))
	}
}

// snapshots are the ids of those of some volumes that EC2 shows.
func (l *lab) snapshots(t *testing.T, disks []string) []string {
	t.Helper()
	var ids []string
	for _, s := range l.snapshotsOf(t, disks...) {
		ids = append(ids, s.ID)
	}
	slices.Sort(ids)
	return ids
}

// without is what is left of ids.
func without(ids []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(gone, id) })
}

// lock locks a snapshot for a day.
func (l *lab) lock(t *testing.T, id string) {
	t.Helper()
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	if err == nil {
		_, err = ec2.NewFromConfig(cfg).LockSnapshot(t.Context(), &ec2.LockSnapshotInput{
			SnapshotId: aws.String(id), LockMode: types.LockModeGovernance, LockDuration: aws.Int32(1),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// claims makes claims of these names and gives each to take.
func (l *lab) claims(t *testing.T, ns string, take func(ns, claim string) string, names ...string) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for _, name := range names {
		l.claim(t, ns, name, name)
		ids[name] = take(ns, name)
	}
	return ids
}

// TestDeleteNative deletes exactly the backup's own snapshots, and tells of those that
// EC2 keeps and of the one that is another backup's.
func TestDeleteNative(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "del-native")
	f, other := l.forge(t, "del-native"), l.forge(t, "del-other")
	native := func(f *forgery) func(string, string) string {
		return func(ns, claim string) string { return f.native(ns, claim).ID }
	}
	ids := l.claims(t, ns, native(f), "one", "two", "gone", "locked", "binned")
	ids["alien"] = l.claims(t, ns, native(other), "alien")["alien"]
	alien := other.natives[0]
	alien.Spec.BackupName = f.name
	f.natives = append(f.natives, alien)
	if _, err := l.ec2.DeleteSnapshot(t.Context(), ids["gone"], map[string]string{ebs.TagBackup: f.name}); err != nil {
		t.Fatal(err)
	}
	l.lock(t, ids["locked"])
	rule := ebssim.RetentionRule{Tags: map[string]string{ebs.TagPV: f.natives[4].Spec.PersistentVolumeName}, Retain: ebssim.Duration(time.Hour)}
	if err := l.ebs.SetRecycleBin(t.Context(), rule); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.ebs.SetRecycleBin(cleanup(t)); err != nil {
			t.Error(err)
		}
	})
	disks := l.disks(t, ns, "one", "two", "gone", "locked", "binned", "alien")
	before := l.snapshots(t, disks)
	out, err := l.CLI(t.Context(), "backup", "delete", f.write(true), "--confirm")
	if err != nil || out.Code != 3 {
		t.Errorf("exit code %d, %v: %s", out.Code, err, out.Err)
	}
	for _, want := range []string{
		"deleted: 4 files, 3 snapshots.", "snapshot " + ids["locked"], "locked in governance mode until ",
		"snapshot " + ids["binned"], "Recycle Bin", "snapshot " + ids["alien"], `its tag velero.io/backup is "` + other.name + `"`,
	} {
		if !strings.Contains(out.Out, want) {
			t.Errorf("no %q in\n%s", want, out.Out)
		}
	}
	if got, want := l.snapshots(t, disks), without(before, ids["one"], ids["two"], ids["binned"]); !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	l.nothingOf(t, f.name)
}

// TestDeleteRefused: snapshots where this worker cannot delete them keep all of it.
func TestDeleteRefused(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "del-refused")
	f := l.forge(t, "del-refused")
	l.claims(t, ns, func(ns, claim string) string { return f.native(ns, claim).ID }, "one", "two")
	f.natives[1].Spec.Location = "aws-west"
	disks := l.disks(t, ns, "one", "two")
	before := l.snapshots(t, disks)
	err := l.startDelete(t, f.write(true)).Get(t.Context(), nil)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != contract.ErrTypeInvalid || !strings.Contains(app.Message(), "retained: location aws-west unknown") ||
		!strings.Contains(app.Message(), "add it to volumeSnapshotLocations") {
		t.Errorf("%v", err)
	}
	if _, err := l.Store.Head(t.Context(), layout.Tombstone(f.name)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("tombstone: %v", err)
	}
	if _, err := l.Store.Head(t.Context(), layout.Backup{Name: f.name}.Metadata()); err != nil || !slices.Equal(before, l.snapshots(t, disks)) {
		t.Errorf("something was deleted: %v", err)
	}
}

// TestDeleteCSI has the driver delete: through a content that is made for it, through
// the one that the backup has left; one that is gone is done, one that is locked stays,
// and so does one whose content the backup did not make.
func TestDeleteCSI(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "del-csi")
	f := l.forge(t, "del-csi")
	ids := l.claims(t, ns, func(ns, claim string) string { return f.csi(ns, claim, stack.EBSSnapshotClass) }, "one", "left", "gone", "locked", "alien")
	content := func(i int) string { return f.infos[i].CSI.VSCName }
	for _, i := range []int{0, 2, 3} { // as Velero leaves it: nothing in the cluster
		l.kubectl(t, "", "delete", "volumesnapshotcontent", content(i))
	}
	l.kubectl(t, "", "label", "volumesnapshotcontent", content(1), "velero.io/backup-name="+f.name)
	if _, err := l.ec2.DeleteSnapshot(t.Context(), ids["gone"], map[string]string{"CSIVolumeSnapshotName": ""}); err != nil {
		t.Fatal(err)
	}
	l.lock(t, ids["locked"])
	mark(f.objects["resources/volumesnapshotcontents.snapshot.storage.k8s.io/cluster/"+content(4)+".json"], "labels", "velero.io/backup-name", "another")
	disks := l.disks(t, ns, "one", "left", "gone", "locked", "alien")
	before := l.snapshots(t, disks)
	res := l.delete(t, f.write(true))
	if res.Snapshots != 3 || len(res.Retained) != 2 || !has(res.Retained, ids["locked"], "locked in governance mode") || !has(res.Retained, ids["alien"], "no VolumeSnapshotContent of its own") {
		t.Errorf("%+v", res)
	}
	if got, want := l.snapshots(t, disks), without(before, ids["one"], ids["left"]); !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	if l.Object(t, "volumesnapshotcontent", "", content(1)) != nil {
		t.Error("the content that was left is there still")
	}
}

// TestDeleteCSIThatTheDriverCannot gives up after a while, and then for good: what is
// retained is not deleted behind anybody's back. Other snapshots are not kept waiting.
func TestDeleteCSIThatTheDriverCannot(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "del-stuck")
	f := l.forge(t, "del-stuck")
	ids := l.claims(t, ns, func(ns, claim string) string { return f.csi(ns, claim, stack.EBSSnapshotClass) }, "one", "stuck", "foreign")
	for _, i := range f.infos {
		l.kubectl(t, "", "delete", "volumesnapshotcontent", i.CSI.VSCName)
	}
	foreign := f.objects["resources/volumesnapshotcontents.snapshot.storage.k8s.io/cluster/"+f.infos[2].CSI.VSCName+".json"]
	foreign["spec"].(map[string]any)["driver"], f.infos[2].CSI.Driver = "other.example.com", "other.example.com"
	allow := l.ebs.Inject(t, ebssim.Fault{Action: "DeleteSnapshot", Volume: l.disk(t, ns, "stuck"), Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403})
	disks := []string{l.disk(t, ns, "one"), l.disk(t, ns, "stuck"), l.disk(t, ns, "foreign")}
	res := l.delete(t, f.write(true))
	if res.Snapshots != 1 || len(res.Retained) != 2 || !has(res.Retained, ids["stuck"], "has not deleted it in 1m0s") || !has(res.Retained, ids["foreign"], "not installed") {
		t.Errorf("%+v", res)
	}
	allow()
	time.Sleep(5 * time.Second)
	if left := l.snapshotsOf(t, disks...); len(left) != 2 || slices.ContainsFunc(left, func(s ebssim.SnapshotState) bool { return s.ID == ids["one"] }) {
		t.Errorf("left %+v", left)
	}
}

// TestDeleteDamaged deletes what is still known of a backup whose tarball is cut off,
// and says what is not.
func TestDeleteDamaged(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "del-damaged")
	f := l.forge(t, "del-damaged")
	csi := l.claims(t, ns, func(ns, claim string) string { return f.csi(ns, claim, stack.EBSSnapshotClass) }, "csi")["csi"]
	native := l.claims(t, ns, func(ns, claim string) string { return f.native(ns, claim).ID }, "native")["native"]
	l.kubectl(t, "", "delete", "volumesnapshotcontent", f.infos[0].CSI.VSCName)
	backup, tarball := f.write(true), f.tarball()
	f.put(layout.Backup{Name: backup}.Tarball(), tarball[:len(tarball)/2])
	disks := l.disks(t, ns, "csi", "native")
	before := l.snapshots(t, disks)
	res := l.delete(t, backup)
	if res.Snapshots != 2 || len(res.Retained) != 1 || !has(res.Retained, "snapshots that nothing else", backup+".tar.gz") {
		t.Errorf("%+v", res)
	}
	if got, want := l.snapshots(t, disks), without(before, csi, native); !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

// TestDeleteDamagedOfOurs does the same for a backup that Lifeboat made.
func TestDeleteDamagedOfOurs(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "del-ours")
	l.claim(t, ns, "data", "x")
	disks := l.disks(t, ns, "data")
	phrase := map[string]string{"tarball": ".tar.gz", "manifest": "manifest", "index": "index"}
	for name, damage := range map[string]func(layout.Backup) string{"tarball": layout.Backup.Tarball, "manifest": layout.Backup.Manifest, "index": layout.Backup.Index} {
		before := l.snapshots(t, disks)
		backup := "del-" + name + "-" + l.ID
		l.backup(t, backup, "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}})
		if made := without(l.snapshots(t, disks), before...); len(made) != 1 {
			t.Fatalf("made %v", made)
		}
		if err := l.Store.Put(t.Context(), damage(layout.Backup{Name: backup}), []byte("{"), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if res := l.delete(t, backup); res.Snapshots != 1 || len(res.Retained) != 1 || !has(res.Retained, "snapshots that nothing else", phrase[name]) {
			t.Errorf("%s: %+v", name, res)
		}
		if got := l.snapshots(t, disks); !slices.Equal(got, before) {
			t.Errorf("%s: left %v", name, without(got, before...))
		}
	}
}

// TestDeleteMany: snapshots are deleted at the rate at which AWS lets an account delete
// them, 100 at once and then 5 a second: 10 s for 150. EC2 still hides some of them, as those
// of a backup that has just ended. Velero pauses for 2 s at each of a driver.
func TestDeleteMany(t *testing.T) {
	l := shared
	const n = 150
	ns := l.namespace(t, "del-many")
	l.claim(t, ns, "data", "x")
	disks := l.disks(t, ns, "data")
	for path, name := range map[string]func(f *forgery, i int, id string){"csi": (*forgery).content, "native": (*forgery).bareNative} {
		t.Run(path, func(t *testing.T) {
			f := l.forge(t, "del-many-"+path)
			before := l.snapshots(t, disks)
			l.limits(t, func(limits *ebssim.Limits) {
				limits.PendingPerAccount, limits.PendingPerVolume, limits.SnapshotInterval = 0, 0, 0
			})
			for i, id := range l.cut(t, disks[0], f.name, n) {
				name(f, i, id)
			}
			l.limits(t, func(limits *ebssim.Limits) { limits.Buckets = ebssim.Published().Buckets })
			backup, began := f.write(false), time.Now()
			res := l.delete(t, backup)
			took := time.Since(began)
			if res.Snapshots != n || len(res.Retained) > 0 || took > time.Minute {
				t.Errorf("%s, %+v", took, res)
			}
			if got := l.snapshots(t, disks); !slices.Equal(got, before) {
				t.Errorf("left %d", len(got)-len(before))
			}
			t.Logf("%d snapshots in %s", n, took.Round(100*time.Millisecond))
		})
	}
}

// content adds a content that stands for a snapshot of no claim.
func (f *forgery) content(i int, id string) {
	name := fmt.Sprintf("content-%03d", i)
	f.objects["resources/volumesnapshotcontents.snapshot.storage.k8s.io/cluster/"+name+".json"] = map[string]any{
		"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
		"metadata": map[string]any{"name": name, "labels": map[string]any{"velero.io/backup-name": f.name}},
		"spec":     map[string]any{"driver": "ebs.csi.aws.com", "source": map[string]any{"snapshotHandle": id}},
	}
}

// bareNative adds a native snapshot of no claim.
func (f *forgery) bareNative(i int, id string) {
	f.natives = append(f.natives, volume.NativeSnapshot{
		Spec:   volume.NativeSnapshotSpec{BackupName: f.name, Location: location, PersistentVolumeName: fmt.Sprint("pv-", i)},
		Status: volume.NativeSnapshotStatus{ProviderSnapshotID: id, Phase: volume.PhaseCompleted},
	})
}

// limits changes the account's until the test is over.
func (l *lab) limits(t *testing.T, change func(*ebssim.Limits)) {
	t.Helper()
	before, err := l.ebs.SetLimits(t.Context(), change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := l.ebs.SetLimits(cleanup(t), func(limits *ebssim.Limits) { *limits = before }); err != nil {
			t.Error(err)
		}
	})
}

// cut takes n snapshots of one volume, tagged as a backup's and as the driver's, which may delete
// no others.
func (l *lab) cut(t *testing.T, disk, backup string, n int) []string {
	t.Helper()
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := ec2.NewFromConfig(cfg)
	var ids []string
	for range n {
		out, err := client.CreateSnapshot(t.Context(), &ec2.CreateSnapshotInput{VolumeId: aws.String(disk), TagSpecifications: []types.TagSpecification{{
			ResourceType: types.ResourceTypeSnapshot, Tags: []types.Tag{
				{Key: aws.String(ebs.TagBackup), Value: aws.String(backup)}, {Key: aws.String("ebs.csi.aws.com/cluster"), Value: aws.String("true")},
			},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, aws.ToString(out.SnapshotId))
	}
	return ids
}

// TestDeleteKilled kills the worker while snapshots are being deleted; the next one
// goes on, and deletes the same.
func TestDeleteKilled(t *testing.T) {
	t.Parallel()
	l := shared.beside(t, "del-killed")
	ns := l.namespace(t, "del-killed")
	f := l.forge(t, "del-killed")
	natives := l.claims(t, ns, func(ns, claim string) string { return f.native(ns, claim).ID }, "n1", "n2", "n3", "n4")
	csis := l.claims(t, ns, func(ns, claim string) string { return f.csi(ns, claim, stack.EBSSnapshotClass) }, "c1", "c2", "c3", "c4")
	gone := []string{}
	for _, ids := range []map[string]string{natives, csis} {
		for _, id := range ids {
			gone = append(gone, id)
		}
	}
	for _, i := range f.infos[4:] {
		l.kubectl(t, "", "delete", "volumesnapshotcontent", i.CSI.VSCName)
	}
	disks := l.disks(t, ns, "n1", "n2", "n3", "n4", "c1", "c2", "c3", "c4")
	before, since := l.snapshots(t, disks), time.Now()
	atOnce := l.slow(t, "DeleteSnapshot", 1500*time.Millisecond, disks...)
	run := l.startDelete(t, f.write(true))
	eventually(t, "calls on their way", func() error {
		if left := l.snapshots(t, disks); len(left) == len(before) {
			return fmt.Errorf("%d snapshots", len(left))
		}
		return nil
	})
	l.Worker.Kill()
	atOnce()
	if _, err := l.Store.Head(t.Context(), layout.Backup{Name: f.name}.Metadata()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("snapshots are gone and the backup is there: %v", err)
	}
	l.ReplaceWorker(t)
	var res contract.DeleteResult
	if err := run.Get(t.Context(), &res); err != nil || res.Snapshots != 8 || len(res.Retained) > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	l.nothingOf(t, f.name)
	if got, want := l.snapshots(t, disks), without(before, gone...); !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	t.Logf("%s from the start to the end", time.Since(since).Round(time.Second))
}
