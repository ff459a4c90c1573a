package activities

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

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// keeper makes the CSI snapshots of a backup outlive their objects, and stores those
// as Velero reads them (velero.md A11).
type keeper struct {
	c *csiSnapshots
	*finish
	mu      sync.Mutex
	objects []kept
}

// kept is one object to store.
type kept struct {
	of   *ended
	res  kube.Resource
	key  archive.Key
	body []byte
}

// keep reads, patches and renders the objects of every completed snapshot, and the
// classes they name.
func (k *keeper) keep(ctx context.Context) error {
	var mine []*ended
	classes := map[string]bool{}
	for i := range k.final.Ended {
		e := &k.final.Ended[i]
		if v := &k.o.plan.Volumes.Volumes[e.Volume]; v.Path == volume.CSI && e.Failed == "" {
			mine = append(mine, e)
			classes[v.Class] = true
		}
	}
	if err := parallel.ForEach(ctx, fetchWindow, mine, k.snapshot); err != nil {
		return err
	}
	if err := k.exist(ctx); err != nil {
		return err
	}
	k.forgetFailed()
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		raw, err := k.c.kube.Get(ctx, kube.VolumeSnapshotClasses(), "", name)
		if kube.IsNotFound(err) {
			continue // deleted meanwhile; a restore takes any class of the driver
		}
		if err != nil {
			return fmt.Errorf("read volume snapshot class: %w", err)
		}
		k.put(nil, kube.VolumeSnapshotClasses(), "", name, raw)
	}
	return nil
}

// snapshot keeps one. A content that has vanished took its snapshot with it.
func (k *keeper) snapshot(ctx context.Context, e *ended) error {
	v := &k.o.plan.Volumes.Volumes[e.Volume]
	vs, err := kube.Read[snapshotv1.VolumeSnapshot](ctx, k.c.kube, kube.VolumeSnapshots(), v.Namespace, v.Snapshot)
	if err != nil {
		return err
	}
	name := contentOf(&vs)
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}},"spec":{"deletionPolicy":%q}}`,
		resource.LabelBackup, resource.LabelValue(k.o.plan.Backup.Name), snapshotv1.VolumeSnapshotContentRetain)
	raw, err := k.c.kube.Patch(ctx, kube.VolumeSnapshotContents(), "", name, kube.PatchMerge, []byte(patch), kube.PatchOptions{FieldManager: kube.FieldManager})
	var content snapshotv1.VolumeSnapshotContent
	if err == nil {
		err = json.Unmarshal(raw, &content)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch handle := csi.SnapshotHandleOf(content); {
	case kube.IsNotFound(err):
		k.fail(e, "VolumeSnapshotContent "+name+" was deleted before the backup was complete")
		return nil
	case err != nil:
		return fmt.Errorf("keep the snapshot of claim %s: %w", kube.ObjectName(v.Namespace, v.Claim), err)
	case handle == "":
		k.fail(e, "the driver calls the snapshot ready and gives it no handle")
		return nil
	}
	e.CSI = csiInfo(&content)
	body, err := rendered(&vs, &content, e.CSI)
	if err != nil {
		return err
	}
	k.put(e, kube.VolumeSnapshots(), v.Namespace, v.Snapshot, body)
	k.put(e, kube.VolumeSnapshotContents(), "", name, raw)
	return nil
}

func csiInfo(c *snapshotv1.VolumeSnapshotContent) *volume.CSIInfo {
	ready := true
	return &volume.CSIInfo{
		SnapshotHandle: csi.SnapshotHandleOf(*c), Size: csi.RestoreSizeOf(snapshotv1.VolumeSnapshot{}, *c), Driver: c.Spec.Driver, VSCName: c.Name, ReadyToUse: &ready,
	}
}

// rendered is a VolumeSnapshot with what Velero 1.14 and 1.15 read from its
// annotations.
func rendered(vs *snapshotv1.VolumeSnapshot, c *snapshotv1.VolumeSnapshotContent, info *volume.CSIInfo) ([]byte, error) {
	vs.APIVersion, vs.Kind = snapshotv1.SchemeGroupVersion.String(), "VolumeSnapshot"
	notes := resource.MergeLabels(vs.Annotations, map[string]string{
		csi.AnnotationHandle: info.SnapshotHandle, csi.AnnotationDriver: info.Driver,
		csi.AnnotationPolicy: string(c.Spec.DeletionPolicy),
	})
	if info.Size > 0 {
		notes[csi.AnnotationSize] = strconv.FormatInt(info.Size, 10)
	}
	vs.Annotations = notes
	return json.Marshal(vs)
}

// put notes an object to store, for a snapshot or, if of is nil, for all.
func (k *keeper) put(of *ended, r kube.Resource, namespace, name string, body []byte) {
	k.objects = append(k.objects, kept{of, r, archive.Key{Resource: r.GroupResource(), Version: r.Version, Namespace: namespace, Name: name}, body})
}

// forgetFailed drops the objects of snapshots that are no part of the backup.
func (k *keeper) forgetFailed() {
	k.objects = slices.DeleteFunc(k.objects, func(o kept) bool { return o.of != nil && o.of.Failed != "" })
}

// add writes the objects in a fixed order, so that a repeat stages the same bytes.
func (k *keeper) add(e *export) error {
	slices.SortFunc(k.objects, func(a, b kept) int { return strings.Compare(a.key.Path(), b.key.Path()) })
	for _, o := range k.objects {
		if err := e.w.Add(o.key, o.body); err != nil {
			return fmt.Errorf("store %s: %w", kube.ObjectName(o.key.Namespace, o.key.Name), err)
		}
		switch o.res.Name {
		case kube.VolumeSnapshots().Name:
			k.final.Snapshots = append(k.final.Snapshots, o.body)
		case kube.VolumeSnapshotContents().Name:
			k.final.Contents = append(k.final.Contents, o.body)
		default:
			k.final.Classes = append(k.final.Classes, o.body)
		}
	}
	return nil
}
