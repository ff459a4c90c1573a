package csi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/snapshotcontent"
)

// retainWindow is how many snapshots are retained, and how many objects of snapshots are
// deleted, at a time; the client's limiter has the last word.
const retainWindow = 16

// retainer makes the CSI snapshots of a backup outlive their objects, and stores those
// as Velero reads them (docs/VELERO.md 2.9).
type retainer struct {
	c *Snapshots

	mu      sync.Mutex
	objects []retainedObject
	infos   map[int]*volume.CSIInfo // by volume
	failed  map[int]string          // why a snapshot is no part of the backup, by volume

	seen     []ebs.Snapshot // in EC2, by the location that is asked
	untagged string         // see volume.Retention
}

// retainedObject is an object to store: of the snapshot of one volume or, where volume
// is negative, of all.
type retainedObject struct {
	volume int
	volume.Object
}

// Retain makes snapshots outlive their VolumeSnapshots, and returns the objects to store
// with the backup. It may repeat.
func (c *Snapshots) Retain(ctx context.Context, completed []volume.Snapshot) (volume.Retention, error) {
	k := &retainer{c: c, infos: map[int]*volume.CSIInfo{}, failed: map[int]string{}}
	if err := parallel.ForEach(ctx, retainWindow, completed, k.retainSnapshot); err != nil {
		return volume.Retention{}, err
	}
	if err := k.lookAgain(ctx); err != nil {
		return volume.Retention{}, err
	}
	if err := k.checkInEC2(ctx); err != nil {
		return volume.Retention{}, err
	}
	if err := k.addClasses(ctx, completed); err != nil {
		return volume.Retention{}, err
	}
	return k.result(), nil
}

// addClasses adds the classes that the snapshots name. One that was deleted meanwhile is
// left out: a restore takes any class of the driver.
func (k *retainer) addClasses(ctx context.Context, completed []volume.Snapshot) error {
	classes := map[string]bool{}
	for _, t := range completed {
		classes[k.c.Backup.Volumes[t.Volume].Class] = true
	}
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		raw, err := k.c.Kube.Get(ctx, kube.VolumeSnapshotClasses(), "", name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read volume snapshot class: %w", err)
		}
		k.add(-1, kube.VolumeSnapshotClasses(), "", name, raw)
	}
	return nil
}

// result has the objects in a fixed order, so that a repeat stages the same bytes, and
// without those of snapshots that are no part of the backup.
func (k *retainer) result() volume.Retention {
	out := volume.Retention{Infos: k.infos, Failed: k.failed, Untagged: k.untagged}
	for _, o := range k.objects {
		if k.failed[o.volume] == "" {
			out.Objects = append(out.Objects, o.Object)
		}
	}
	for v := range k.failed {
		delete(out.Infos, v)
	}
	slices.SortFunc(out.Objects, func(a, b volume.Object) int { return strings.Compare(a.Key.Path(), b.Key.Path()) })
	return out
}

// retainSnapshot keeps one. A content that has vanished took its snapshot with it.
func (k *retainer) retainSnapshot(ctx context.Context, t volume.Snapshot) error {
	v := &k.c.Backup.Volumes[t.Volume]
	vs, err := kube.Read[snapshotv1.VolumeSnapshot](ctx, k.c.Kube, kube.VolumeSnapshots(), v.Namespace, v.Snapshot)
	if err != nil {
		return err
	}
	name := ContentOf(&vs)
	raw, err := patchContent(ctx, k.c.Kube, name, map[string]any{
		"metadata": map[string]any{"labels": map[string]string{resource.LabelBackup: resource.LabelValue(k.c.Backup.Name)}},
		"spec":     map[string]any{"deletionPolicy": snapshotv1.VolumeSnapshotContentRetain},
	})
	var content snapshotv1.VolumeSnapshotContent
	if err == nil {
		err = json.Unmarshal(raw, &content)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch handle := snapshotcontent.HandleOf(content); {
	case apierrors.IsNotFound(err):
		k.failed[t.Volume] = "VolumeSnapshotContent " + name + " was deleted before the backup was complete"
		return nil
	case err != nil:
		return fmt.Errorf("keep the snapshot of claim %s: %w", resource.ObjectName(v.Namespace, v.Claim), err)
	case vs.DeletionTimestamp != nil || content.DeletionTimestamp != nil:
		k.failed[t.Volume] = k.c.deletedText(t.Volume) // the policy came too late
		return nil
	case handle == "":
		k.failed[t.Volume] = "the driver calls the snapshot ready and gives it no handle"
		return nil
	}
	info := csiInfo(&content)
	k.infos[t.Volume] = info
	body, err := renderSnapshot(&vs, &content, info)
	if err != nil {
		return err
	}
	k.add(t.Volume, kube.VolumeSnapshots(), v.Namespace, v.Snapshot, body)
	k.add(t.Volume, kube.VolumeSnapshotContents(), "", name, raw)
	return nil
}

// lookAgain fails the snapshots whose contents are gone, or are about to go, once all are
// retained: a snapshotter that had not heard of the policy yet may have deleted them.
func (k *retainer) lookAgain(ctx context.Context) error {
	if len(k.infos) == 0 {
		return nil
	}
	live, err := kube.ListMap[snapshotv1.VolumeSnapshotContent](ctx, k.c.Kube, kube.VolumeSnapshotContents(), "", resource.LabelBackup+"="+resource.LabelValue(k.c.Backup.Name))
	if err != nil {
		return fmt.Errorf("look again at volume snapshot contents: %w", err)
	}
	for i, info := range k.infos {
		if content, there := live[info.VSCName]; !there || content.DeletionTimestamp != nil {
			k.failed[i] = k.c.deletedText(i)
		}
	}
	return nil
}

func csiInfo(c *snapshotv1.VolumeSnapshotContent) *volume.CSIInfo {
	ready := true
	return &volume.CSIInfo{
		SnapshotHandle: snapshotcontent.HandleOf(*c), Size: RestoreSizeOf(snapshotv1.VolumeSnapshot{}, *c), Driver: c.Spec.Driver, VSCName: c.Name, ReadyToUse: &ready,
	}
}

// renderSnapshot is a VolumeSnapshot with what Velero 1.14 and 1.15 read from its
// annotations.
func renderSnapshot(vs *snapshotv1.VolumeSnapshot, c *snapshotv1.VolumeSnapshotContent, info *volume.CSIInfo) ([]byte, error) {
	vs.APIVersion, vs.Kind = snapshotv1.SchemeGroupVersion.String(), "VolumeSnapshot"
	notes := resource.MergeLabels(vs.Annotations, map[string]string{
		AnnotationHandle: info.SnapshotHandle, AnnotationDriver: info.Driver,
		AnnotationPolicy: string(c.Spec.DeletionPolicy),
	})
	if info.Size > 0 {
		notes[AnnotationSize] = strconv.FormatInt(info.Size, 10)
	}
	vs.Annotations = notes
	return json.Marshal(vs)
}

// add notes an object to store.
func (k *retainer) add(index int, r kube.Resource, namespace, name string, body []byte) {
	key := archive.Key{Resource: r.GroupResource(), Version: r.Version, Namespace: namespace, Name: name}
	k.objects = append(k.objects, retainedObject{index, volume.Object{Key: key, Body: body}})
}
