// Package fakenode attaches volumes to the instances of nodes that have no
// kubelet (kwok's): nobody stages volumes there, and EC2 would not know which
// instance they are used on.
package fakenode

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
)

// annotation marks the nodes that kwok plays.
const annotation = "kwok.x-k8s.io/node"

// settle is how long changes are gathered before they are acted upon.
const settle = 200 * time.Millisecond

// Cloud is what the attacher needs of EC2.
type Cloud interface {
	Attach(ctx context.Context, volumeID, instance string) error
	Detach(ctx context.Context, volumeID, instance string) error
	AttachedTo(ctx context.Context, instances []string) ([]types.Volume, error)
}

// Attacher keeps the attachments of fake nodes as their pods need them.
type Attacher struct {
	Cloud  Cloud
	Log    *slog.Logger
	pods   cache.Store
	claims cache.Store
	pvs    cache.Store
	nodes  cache.Store
	wake   chan struct{}
}

// New makes an attacher that watches through the factory, which must be started
// after.
func New(c Cloud, log *slog.Logger, factory informers.SharedInformerFactory) (*Attacher, error) {
	core := factory.Core().V1()
	a := &Attacher{Cloud: c, Log: log, wake: make(chan struct{}, 1)}
	watched := map[*cache.Store]cache.SharedIndexInformer{
		&a.pods: core.Pods().Informer(), &a.claims: core.PersistentVolumeClaims().Informer(),
		&a.pvs: core.PersistentVolumes().Informer(), &a.nodes: core.Nodes().Informer(),
	}
	notify := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { a.notify() }, UpdateFunc: func(any, any) { a.notify() }, DeleteFunc: func(any) { a.notify() },
	}
	for store, informer := range watched {
		*store = informer.GetStore()
		if _, err := informer.AddEventHandler(notify); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *Attacher) notify() {
	select {
	case a.wake <- struct{}{}:
	default: // a look is due already
	}
}

// Run works until the context ends. What fails is tried again a second later.
func (a *Attacher) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		}
		pause(ctx, settle)
		if err := a.reconcile(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("attach volumes of fake nodes", "error", err)
			pause(ctx, time.Second)
			a.notify()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// reconcile detaches what no pod needs any more and then attaches what is
// missing: a volume that moves must leave its old instance first. One that fails
// does not keep the others.
func (a *Attacher) reconcile(ctx context.Context) error {
	instances := a.instances()
	if len(instances) == 0 {
		return nil
	}
	want := a.wanted(instances)
	have, err := a.attached(ctx, instances)
	if err != nil {
		return err
	}
	left := each(minus(have, want), func(p place) error { return a.Cloud.Detach(ctx, p.volume, p.instance) })
	came := each(minus(want, have), func(p place) error { return a.Cloud.Attach(ctx, p.volume, p.instance) })
	return errors.Join(left, came)
}

// place is a volume on an instance.
type place struct{ volume, instance string }

// instances maps the names of fake nodes to their instances.
func (a *Attacher) instances() map[string]string {
	found := map[string]string{}
	for _, object := range a.nodes.List() {
		node, ok := object.(*v1.Node)
		if ok && node.Annotations[annotation] != "" && strings.HasPrefix(node.Spec.ProviderID, "aws://") {
			found[node.Name] = node.Spec.ProviderID[strings.LastIndex(node.Spec.ProviderID, "/")+1:]
		}
	}
	return found
}

func (a *Attacher) wanted(instances map[string]string) map[place]bool {
	want := map[place]bool{}
	for _, object := range a.pods.List() {
		pod, ok := object.(*v1.Pod)
		if !ok || instances[pod.Spec.NodeName] == "" || pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
			continue
		}
		for _, volume := range pod.Spec.Volumes {
			if handle := a.handle(pod.Namespace, volume); handle != "" {
				want[place{handle, instances[pod.Spec.NodeName]}] = true
			}
		}
	}
	return want
}

// handle follows a pod's volume over its claim to the id of a volume of EBS.
func (a *Attacher) handle(namespace string, volume v1.Volume) string {
	if volume.PersistentVolumeClaim == nil {
		return ""
	}
	object, _, _ := a.claims.GetByKey(namespace + "/" + volume.PersistentVolumeClaim.ClaimName)
	claim, ok := object.(*v1.PersistentVolumeClaim)
	if !ok || claim.Spec.VolumeName == "" {
		return ""
	}
	object, _, _ = a.pvs.GetByKey(claim.Spec.VolumeName)
	pv, ok := object.(*v1.PersistentVolume)
	if !ok {
		return ""
	}
	return driver.VolumeID(pv)
}

// attached leaves out what nobody here attached: the instances' root volumes.
func (a *Attacher) attached(ctx context.Context, instances map[string]string) (map[place]bool, error) {
	var ids []string
	ours := map[string]bool{}
	for _, id := range instances {
		ids, ours[id] = append(ids, id), true
	}
	volumes, err := a.Cloud.AttachedTo(ctx, ids)
	if err != nil {
		return nil, err
	}
	have := map[place]bool{}
	for _, volume := range volumes {
		for _, at := range volume.Attachments {
			isRoot := aws.ToBool(at.DeleteOnTermination) || strings.HasPrefix(aws.ToString(at.Device), "/dev/xvda") || strings.HasPrefix(aws.ToString(at.Device), "/dev/sda")
			if id := aws.ToString(at.InstanceId); ours[id] && !isRoot && at.State != types.VolumeAttachmentStateDetached {
				have[place{aws.ToString(volume.VolumeId), id}] = true
			}
		}
	}
	return have, nil
}

func minus(a, b map[place]bool) []place {
	var out []place
	for p := range a {
		if !b[p] {
			out = append(out, p)
		}
	}
	return out
}

// each runs the calls side by side, eight at a time, and gives one of the errors.
func each(places []place, call func(place) error) error {
	gate := make(chan struct{}, 8)
	var mu sync.Mutex
	var first error
	var all sync.WaitGroup
	for _, p := range places {
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			if err := call(p); err != nil {
				mu.Lock()
				first = err
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return first
}
