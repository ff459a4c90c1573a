package native_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// TestRestorer: the driver keeps the promises of volume.Restorer.
func TestRestorer(t *testing.T) {
	volumetest.RunRestorer(t, func(t *testing.T, test func(*testing.T, volumetest.RestoreWorld)) {
		synctest.Test(t, func(t *testing.T) { test(t, newRestoreWorld(t)) })
	})
}

// restoreWorld is a cluster in one zone of an account that has snapshots of a backup.
type restoreWorld struct {
	*ebssim.Sim
	t         *testing.T
	ec2       *ec2.Client
	locations *location.Set
	cluster   *kubetest.Server
	client    *kube.Client
	natives   map[string]volume.NativeSnapshot // by PersistentVolume
}

func newRestoreWorld(t *testing.T) *restoreWorld {
	w := &restoreWorld{t: t, cluster: kubetest.Start(t, kubetest.WithoutNetwork()), natives: map[string]volume.NativeSnapshot{}}
	w.client = w.cluster.Client()
	w.Sim, w.ec2, w.locations = simulatedAccount(t)
	for _, v := range volumetest.Restores(volume.MethodNative) {
		w.takeSnapshot(v.PV)
	}
	return w
}

// takeSnapshot backs a volume up as Lifeboat does.
func (w *restoreWorld) takeSnapshot(pv string) {
	w.t.Helper()
	disk, err := w.ec2.CreateVolume(w.t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String("us-east-1a"), Size: aws.Int32(1), VolumeType: types.VolumeTypeGp3})
	if err != nil {
		w.t.Fatal(err)
	}
	snapshot, err := w.ec2.CreateSnapshot(w.t.Context(), &ec2.CreateSnapshotInput{VolumeId: disk.VolumeId, TagSpecifications: []types.TagSpecification{{
		ResourceType: types.ResourceTypeSnapshot, Tags: []types.Tag{{Key: aws.String(ebs.TagBackup), Value: aws.String("b")}, {Key: aws.String(ebs.TagPV), Value: &pv}},
	}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.natives[pv] = volume.NativeSnapshot{
		Spec:   volume.NativeSnapshotSpec{BackupName: "b", Location: "east", PersistentVolumeName: pv, ProviderVolumeID: *disk.VolumeId, VolumeType: "gp3", VolumeAZ: "us-east-1a"},
		Status: volume.NativeSnapshotStatus{ProviderSnapshotID: *snapshot.SnapshotId, Phase: volume.PhaseCompleted},
	}
	w.awaitCompleted(*snapshot.SnapshotId)
}

func (w *restoreWorld) awaitCompleted(id string) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, s := range w.State().Snapshots {
			if s.ID == id && s.State == ebs.SnapshotCompleted {
				return
			}
		}
	}
	w.t.Fatalf("snapshot %s does not complete", id)
}

func (w *restoreWorld) Plan() ([]*volume.Restore, volume.View) {
	all := volumetest.Restores(volume.MethodNative)
	for _, v := range all {
		v.Disk = &volume.DiskPlan{Name: v.PV}
	}
	node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{corev1.LabelTopologyZone: "us-east-1a"}}}
	facts := volume.NewFacts()
	facts.Natives = w.natives
	return all, volume.View{
		Facts:   facts,
		Nodes:   func(context.Context) ([]corev1.Node, error) { return []corev1.Node{node}, nil },
		EachPod: func(context.Context, func(corev1.Pod)) error { return nil },
	}
}

func (w *restoreWorld) Restorer(run volume.RestoreRun) volume.Restorer {
	return &native.Restorer{Kube: w.client, Locations: w.locations, Run: run, LookAgain: time.Second}
}

func (w *restoreWorld) Made(run volume.RestoreRun) []int {
	var out []int
	for _, v := range w.State().Volumes {
		if v.Tags[ebs.TagRestoreUID] == run.UID && v.State != ebs.VolumeDeleted && v.State != ebs.VolumeDeleting {
			out = append(out, slices.IndexFunc(volumetest.Restores(volume.MethodNative), func(r *volume.Restore) bool { return r.PV == v.Tags[ebs.TagPV] }))
		}
	}
	slices.Sort(out)
	return out
}

func (w *restoreWorld) LoseReply() {
	if _, err := w.AddFault(ebssim.Fault{Action: "CreateVolume", Effect: ebssim.EffectDropAfter, Times: 1}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *restoreWorld) DeleteSnapshot(index int) {
	id := w.natives[volumetest.Restores(volume.MethodNative)[index].PV].Status.ProviderSnapshotID
	if _, err := w.ec2.DeleteSnapshot(w.t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: &id}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *restoreWorld) Use(v *volume.Restore, disk volume.Disk, _ []volume.Object) {
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: v.Disk.Name}}
	pv.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: volume.DriverEBS, VolumeHandle: disk.ID}
	w.cluster.Put(pv)
}

// TestMultiAttach: a volume that several nodes could attach comes back as one, whether
// the snapshot's tags say so or, as in backups of Velero's, the PersistentVolume alone.
func TestMultiAttach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRestoreWorld(t)
		all, view := w.Plan()
		iops := int64(100)
		for _, v := range all {
			n := w.natives[v.PV]
			n.Spec.VolumeType, n.Spec.VolumeIOPS, v.Capacity = "io2", &iops, 4<<30
			w.natives[v.PV] = n
		}
		tagged, shared := w.natives[all[0].PV].Status.ProviderSnapshotID, all[1].PV
		_, err := w.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{tagged}, Tags: []types.Tag{{Key: aws.String(ebs.TagMultiAttach), Value: aws.String("true")}}})
		if err != nil {
			t.Fatal(err)
		}
		block := corev1.PersistentVolumeBlock
		view.Facts.Volumes[shared] = corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{VolumeMode: &block, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}}}
		r := w.Restorer(volume.RestoreRun{UID: "uid", Name: "r", Backup: "b", Cluster: "c", OperationTimeout: time.Hour})
		if found, err := r.Check(t.Context(), all, view); err != nil || len(found.Refusals) > 0 {
			t.Fatal(found, err)
		}
		if err := r.Provision(t.Context(), all, volume.NewLedger(map[string]volume.Disk{}, func() {})); err != nil {
			t.Fatal(err)
		}
		out, err := w.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{Filters: []types.Filter{{Name: aws.String("tag-key"), Values: []string{ebs.TagRestoreUID}}}})
		if err != nil || len(out.Volumes) != len(all) {
			t.Fatal(len(out.Volumes), err)
		}
		for _, v := range out.Volumes {
			want := aws.ToString(v.SnapshotId) == tagged || aws.ToString(v.SnapshotId) == w.natives[shared].Status.ProviderSnapshotID
			if aws.ToBool(v.MultiAttachEnabled) != want {
				t.Errorf("of %s: %v, want %v", *v.SnapshotId, aws.ToBool(v.MultiAttachEnabled), want)
			}
		}
	})
}
