package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// contentOf is the name of a VolumeSnapshot's content: the one it is bound to, or the
// one that the snapshot controller is about to make for it.
func contentOf(vs *snapshotv1.VolumeSnapshot) string {
	if vs.Status != nil && vs.Status.BoundVolumeSnapshotContentName != nil {
		return *vs.Status.BoundVolumeSnapshotContentName
	}
	return "snapcontent-" + string(vs.UID)
}

// discard deletes VolumeSnapshots that are not kept, with what they stand for.
func (c *csiSnapshots) discard(ctx context.Context, keep []taken) error {
	return c.remove(ctx, func(key string, _ snapshotv1.VolumeSnapshot) bool {
		return !slices.ContainsFunc(keep, func(t taken) bool { return c.key(t.Volume) == key })
	}, snapshotv1.VolumeSnapshotContentDelete)
}

// release takes the VolumeSnapshots of a committed backup away and leaves what they
// stand for. Those that discard is deleting are left to it.
func (c *csiSnapshots) release(ctx context.Context) error {
	return c.remove(ctx, func(_ string, vs snapshotv1.VolumeSnapshot) bool {
		return vs.DeletionTimestamp == nil
	}, snapshotv1.VolumeSnapshotContentRetain)
}

// remove deletes the chosen VolumeSnapshots and their contents. The policy is set
// first: it decides about the snapshot at the provider.
func (c *csiSnapshots) remove(ctx context.Context, chosen func(string, snapshotv1.VolumeSnapshot) bool, policy snapshotv1.DeletionPolicy) error {
	live, err := c.list(ctx)
	if err != nil {
		return err
	}
	maps.DeleteFunc(live, func(key string, vs snapshotv1.VolumeSnapshot) bool { return !chosen(key, vs) })
	keys := slices.Sorted(maps.Keys(live))
	return inParallel(ctx, fetchWindow, keys, func(ctx context.Context, key string) error {
		vs := live[key]
		content := contentOf(&vs)
		err := c.setPolicy(ctx, content, policy)
		if kube.IsNotFound(err) {
			err = nil // none was made, or it is gone
		}
		if err == nil && policy == snapshotv1.VolumeSnapshotContentRetain {
			err = c.drop(ctx, kube.VolumeSnapshotContents(), "", content)
		}
		if err == nil { // last, since a retry finds the content by it
			err = c.drop(ctx, kube.VolumeSnapshots(), vs.Namespace, vs.Name)
		}
		return err
	})
}

func (c *csiSnapshots) setPolicy(ctx context.Context, content string, policy snapshotv1.DeletionPolicy) error {
	body := fmt.Sprintf(`{"spec":{"deletionPolicy":%q}}`, policy)
	_, err := c.kube.Patch(ctx, kube.VolumeSnapshotContents(), "", content, kube.PatchMerge, []byte(body), kube.PatchOptions{FieldManager: fieldManager})
	return err
}

// drop deletes what may be gone already.
func (c *csiSnapshots) drop(ctx context.Context, r kube.Resource, ns, name string) error {
	err := c.kube.Delete(ctx, r, ns, name, kube.DeleteOptions{})
	if kube.IsNotFound(err) {
		return nil
	}
	return err
}
