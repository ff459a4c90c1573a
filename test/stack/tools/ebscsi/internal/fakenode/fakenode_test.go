package fakenode

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
)

// disks is an EC2 that only knows where volumes are.
type disks struct {
	mu sync.Mutex
	at map[string]string // instance by volume
}

func (d *disks) Attach(_ context.Context, volume, instance string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if on := d.at[volume]; on != "" {
		return fmt.Errorf("volume %s is on %s", volume, on)
	}
	d.at[volume] = instance
	return nil
}

func (d *disks) Detach(_ context.Context, volume, _ string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.at, volume)
	return nil
}

func (d *disks) AttachedTo(_ context.Context, instances []string) (out []types.Volume, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for volume, instance := range d.at {
		if !slices.Contains(instances, instance) {
			continue
		}
		device := "/dev/xvdba"
		if volume == "vol-root" {
			device = "/dev/xvda"
		}
		out = append(out, types.Volume{VolumeId: aws.String(volume), Attachments: []types.VolumeAttachment{{
			InstanceId: aws.String(instance), Device: aws.String(device), State: types.VolumeAttachmentStateAttached,
		}}})
	}
	return out, nil
}

func node(name, provider string, kwok bool) *v1.Node {
	n := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1.NodeSpec{ProviderID: provider}}
	if kwok {
		n.Annotations = map[string]string{annotation: "fake"}
	}
	return n
}

func user(pod, on, claim string) []runtime.Object {
	volume := v1.Volume{Name: "data"}
	volume.PersistentVolumeClaim = &v1.PersistentVolumeClaimVolumeSource{ClaimName: claim}
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod, Namespace: "a"}}
	p.Spec.NodeName, p.Spec.Volumes = on, []v1.Volume{volume}
	c := &v1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: claim, Namespace: "a"}}
	c.Spec.VolumeName = "pv-" + claim
	pv := &v1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: c.Spec.VolumeName}}
	pv.Spec.CSI = &v1.CSIPersistentVolumeSource{Driver: driver.Name, VolumeHandle: "vol-" + claim}
	return []runtime.Object{p, c, pv}
}

func TestReconcile(t *testing.T) {
	objects := []runtime.Object{
		node("one", "aws:///z/i-1", true), node("two", "aws:///z/i-2", true), node("real", "aws:///z/i-3", false),
	}
	objects = append(objects, user("stays", "one", "kept")...)
	objects = append(objects, user("moved", "two", "moving")...)
	objects = append(objects, user("elsewhere", "real", "kubelets")...)
	done := user("done", "one", "finished")
	done[0].(*v1.Pod).Status.Phase = v1.PodSucceeded
	objects = append(objects, done...)

	d := &disks{at: map[string]string{
		"vol-kept": "i-1", "vol-moving": "i-1", "vol-finished": "i-1", "vol-root": "i-1", "vol-foreign": "i-9",
	}}
	a := attacher(t, d, objects)
	if err := a.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"vol-kept": "i-1", "vol-moving": "i-2", "vol-root": "i-1", "vol-foreign": "i-9"}
	if !maps.Equal(d.at, want) {
		t.Errorf("got %v, want %v", d.at, want)
	}
}

func attacher(t *testing.T, c Cloud, objects []runtime.Object) *Attacher {
	t.Helper()
	factory := informers.NewSharedInformerFactory(fake.NewClientset(objects...), 0)
	a, err := New(c, slog.New(slog.DiscardHandler), factory)
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	return a
}
