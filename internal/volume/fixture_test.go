package volume

import (
	"fmt"
	"testing"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// claim returns a bound claim shop/<name> and its volume pv-<name> of 10 GiB.
func claim(name string, source corev1.PersistentVolumeSource, change ...func(*corev1.PersistentVolumeClaim, *corev1.PersistentVolume)) pairOf {
	class := "gp3"
	c := corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": name}},
		Spec:       corev1.PersistentVolumeClaimSpec{VolumeName: "pv-" + name, StorageClassName: &class},
		Status:     corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
	}
	pv := corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv-" + name, Labels: map[string]string{corev1.LabelTopologyZone: "eu-west-1a"}},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeSource: source, StorageClassName: class,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")},
			ClaimRef:                      &corev1.ObjectReference{Namespace: "shop", Name: name, UID: c.UID},
		},
	}
	for _, f := range change {
		f(&c, &pv)
	}
	return pairOf{c, pv}
}

type pairOf struct {
	claim corev1.PersistentVolumeClaim
	pv    corev1.PersistentVolume
}

func csiSource2(driver, handle string) corev1.PersistentVolumeSource {
	return corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: driver, VolumeHandle: handle}}
}

func ebsCSI() corev1.PersistentVolumeSource { return csiSource2(DriverEBS, "vol-0abc") }

func inTree() corev1.PersistentVolumeSource {
	return corev1.PersistentVolumeSource{AWSElasticBlockStore: &corev1.AWSElasticBlockStoreVolumeSource{VolumeID: "aws://eu-west-1a/vol-0def"}}
}

func nfs() corev1.PersistentVolumeSource {
	return corev1.PersistentVolumeSource{NFS: &corev1.NFSVolumeSource{Server: "files", Path: "/data"}}
}

func class(name, driver string, change ...func(*snapshotv1.VolumeSnapshotClass)) snapshotv1.VolumeSnapshotClass {
	c := snapshotv1.VolumeSnapshotClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Driver: driver}
	for _, f := range change {
		f(&c)
	}
	return c
}

func ebsClass() []snapshotv1.VolumeSnapshotClass {
	return []snapshotv1.VolumeSnapshotClass{class("ebs", DriverEBS)}
}

// pod returns a running pod shop/<name> that mounts the claims; volume i is "v<i>".
func pod(name string, claims ...string) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	p.Spec.NodeName = "node-" + name
	c := corev1.Container{Name: "main"}
	for i, claim := range claims {
		v := corev1.Volume{Name: fmt.Sprintf("v%d", i)}
		v.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}
		p.Spec.Volumes = append(p.Spec.Volumes, v)
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: v.Name})
	}
	p.Spec.Containers = []corev1.Container{c}
	return p
}

// with adds the pairs to the inputs and fills what all tests need.
func (in Inputs) with(pairs ...pairOf) Inputs {
	in.BackupUID = "backup-1"
	for _, p := range pairs {
		in.Claims = append(in.Claims, p.claim)
		in.Volumes = append(in.Volumes, p.pv)
	}
	return in
}

func mustParse(t *testing.T, text string) *Policies {
	t.Helper()
	p, err := ParsePolicies([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustMake(t *testing.T, in Inputs) Plan {
	t.Helper()
	plan, err := Make(in)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func problems(p Plan) string {
	out := ""
	for _, r := range p.Problems {
		out += fmt.Sprintf("%s %s %s; ", r.Severity, r.Code, r.Object())
	}
	return out
}

func hasProblem(p Plan, code report.Code, severity report.Severity) bool {
	for _, r := range p.Problems {
		if r.Code == code && r.Severity == severity {
			return true
		}
	}
	return false
}

func set[T any](v T) *T { return &v }
