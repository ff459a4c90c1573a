package csi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
	// deletionTimeout is how long the cluster's controllers are waited for when they delete
	// snapshots. What they have not done by then, they go on doing by themselves.
	deletionTimeout = time.Minute
	// creationTimeout is how long a snapshot is waited for that is to be deleted.
	creationTimeout = 30 * time.Second
)

var errStillThere = errors.New("is still being deleted")

// boundContent is the name of a VolumeSnapshot's content, "" if it has none yet.
func boundContent(vs *snapshotv1.VolumeSnapshot) string {
	if vs.Status == nil || vs.Status.BoundVolumeSnapshotContentName == nil {
		return ""
	}
	return *vs.Status.BoundVolumeSnapshotContentName
}

// ContentOf is the content that a VolumeSnapshot is bound to, or the one that the
// snapshot controller is about to make for it.
func ContentOf(vs *snapshotv1.VolumeSnapshot) string {
	if name := boundContent(vs); name != "" {
		return name
	}
	return "snapcontent-" + string(vs.UID)
}

// Discard deletes VolumeSnapshots that are not kept, with what they stand for, and
// contents whose VolumeSnapshot somebody else has deleted.
func (c *Snapshots) Discard(ctx context.Context, all []volume.Snapshot, keep map[int]bool) error {
	kept := map[string]bool{}
	for i := range keep {
		kept[c.key(i)] = true
	}
	var contents []string
	for _, t := range all {
		if t.Content != "" && !keep[t.Volume] {
			contents = append(contents, t.Content)
		}
	}
	err := c.deleteUntilGone(ctx, func(key string, _ *snapshotv1.VolumeSnapshot) bool { return !kept[key] }, contents)
	if errors.Is(err, errStillThere) {
		return nil // the controllers go on
	}
	return err
}

// Find looks for VolumeSnapshots that are taken and not on their way out.
func (c *Snapshots) Find(ctx context.Context, volumes []int) ([]volume.Snapshot, error) {
	live, err := c.list(ctx)
	var out []volume.Snapshot
	for _, i := range volumes {
		if vs, there := live[c.key(i)]; there && vs.DeletionTimestamp == nil && isTaken(&vs) {
			out = append(out, volume.Snapshot{Volume: i, At: vs.Status.CreationTime.UTC()})
		}
	}
	return out, err
}

// Forget waits until they are gone, since those that follow have the same names. By their
// UIDs they are told from these.
func (c *Snapshots) Forget(ctx context.Context, volumes []int, confirm func(context.Context) error) error {
	live, err := c.list(ctx)
	if err != nil {
		return err
	}
	seen := map[types.UID]bool{}
	for _, i := range volumes {
		if vs, there := live[c.key(i)]; there {
			seen[vs.UID] = true
		}
	}
	if err := confirm(ctx); err != nil {
		return err
	}
	return c.deleteUntilGone(ctx, func(_ string, vs *snapshotv1.VolumeSnapshot) bool { return seen[vs.UID] }, nil)
}

// isDeletable: a snapshot is left alone while the driver makes it, and while EC2 may not show
// it yet. The EBS driver takes one that it does not find for deleted, and it would stay
// for ever.
func isDeletable(vs *snapshotv1.VolumeSnapshot) bool {
	switch {
	case vs.DeletionTimestamp != nil:
		return true
	case isTaken(vs):
		return time.Since(vs.Status.CreationTime.Time) > quota.LookAgainFor
	}
	return errorMessageOf(vs) != "" || time.Since(vs.CreationTimestamp.Time) > creationTimeout
}

// deleteUntilGone deletes the chosen VolumeSnapshots with their snapshots at the provider, and
// then the contents that are left of them and the named ones. It looks again until
// all are gone: the snapshot controller may make a content that did not exist a moment
// ago.
func (c *Snapshots) deleteUntilGone(ctx context.Context, chosen func(key string, vs *snapshotv1.VolumeSnapshot) bool, contents []string) error {
	names := map[string]bool{}
	for _, name := range contents {
		names[name] = true
	}
	end := time.Now().Add(deletionTimeout)
	for wait := pollFirst; ; wait = min(2*wait, pollLast) {
		live, err := c.list(ctx)
		if err != nil {
			return err
		}
		maps.DeleteFunc(live, func(key string, vs snapshotv1.VolumeSnapshot) bool { return !chosen(key, &vs) })
		ripe := map[string]snapshotv1.VolumeSnapshot{}
		for key, vs := range live {
			names[ContentOf(&vs)] = true
			if isDeletable(&vs) {
				ripe[key] = vs
			}
		}
		if err := c.deleteSnapshots(ctx, ripe, snapshotv1.VolumeSnapshotContentDelete); err != nil {
			return err
		}
		if len(live) == 0 {
			return c.deleteOrphanContents(ctx, slices.Sorted(maps.Keys(names)), snapshotv1.VolumeSnapshotContentDelete)
		}
		if time.Now().After(end) {
			return fmt.Errorf("VolumeSnapshot %s %w", slices.Sorted(maps.Keys(live))[0], errStillThere)
		}
		if err := poll.Wait(ctx, wait); err != nil {
			return err
		}
	}
}

// Release takes the VolumeSnapshots of a committed backup away, and contents that
// somebody else has left of them, and leaves what they stand for. Those that discard
// is deleting are left to it.
func (c *Snapshots) Release(ctx context.Context, all []volume.Snapshot) error {
	live, err := c.list(ctx)
	if err != nil {
		return err
	}
	maps.DeleteFunc(live, func(_ string, vs snapshotv1.VolumeSnapshot) bool { return vs.DeletionTimestamp != nil })
	if err := c.deleteSnapshots(ctx, live, snapshotv1.VolumeSnapshotContentRetain); err != nil {
		return err
	}
	var contents []string
	for _, t := range all {
		if _, there := live[c.key(t.Volume)]; !there && t.Content != "" {
			contents = append(contents, t.Content)
		}
	}
	return c.deleteOrphanContents(ctx, contents, snapshotv1.VolumeSnapshotContentRetain)
}

// deleteSnapshots deletes VolumeSnapshots and their contents. The policy is set first: it
// decides about the snapshot at the provider.
func (c *Snapshots) deleteSnapshots(ctx context.Context, live map[string]snapshotv1.VolumeSnapshot, policy snapshotv1.DeletionPolicy) error {
	return parallel.ForEach(ctx, retainWindow, slices.Sorted(maps.Keys(live)), func(ctx context.Context, key string) error {
		vs := live[key]
		return c.deleteSnapshot(ctx, &vs, policy)
	})
}

func (c *Snapshots) deleteSnapshot(ctx context.Context, vs *snapshotv1.VolumeSnapshot, policy snapshotv1.DeletionPolicy) error {
	content := ContentOf(vs)
	err := setDeletionPolicy(ctx, c.Kube, content, policy)
	if apierrors.IsNotFound(err) {
		err = nil // none was made, or it is gone
	}
	if err == nil && policy == snapshotv1.VolumeSnapshotContentRetain {
		err = c.deleteIfExists(ctx, kube.VolumeSnapshotContents(), "", content, "")
	}
	if err == nil { // last, since a retry finds the content by it
		err = c.deleteIfExists(ctx, kube.VolumeSnapshots(), vs.Namespace, vs.Name, vs.UID)
	}
	return err
}

// DeleteWithSnapshot deletes a VolumeSnapshot of a backup that is not, with what it stands for at
// the provider. One that is gone is no error.
func DeleteWithSnapshot(ctx context.Context, kc *kube.Client, vs *snapshotv1.VolumeSnapshot) error {
	return (&Snapshots{Kube: kc}).deleteSnapshot(ctx, vs, snapshotv1.VolumeSnapshotContentDelete)
}

// deleteOrphanContents deletes contents without a VolumeSnapshot. Those to be released are only
// those that keep the snapshot already: of the others it is gone, or is to go.
func (c *Snapshots) deleteOrphanContents(ctx context.Context, names []string, policy snapshotv1.DeletionPolicy) error {
	return parallel.ForEach(ctx, retainWindow, names, func(ctx context.Context, name string) error {
		content, err := kube.Read[snapshotv1.VolumeSnapshotContent](ctx, c.Kube, kube.VolumeSnapshotContents(), "", name)
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		case content.DeletionTimestamp != nil && content.Spec.DeletionPolicy == policy:
			return nil
		case policy == snapshotv1.VolumeSnapshotContentDelete:
			if err := setDeletionPolicy(ctx, c.Kube, name, policy); err != nil && !apierrors.IsNotFound(err) {
				return err
			}
		case content.Spec.DeletionPolicy != policy:
			return nil
		}
		return c.deleteIfExists(ctx, kube.VolumeSnapshotContents(), "", name, "")
	})
}

// deleteIfExists deletes what may be gone already. Another object of the name, which uid is
// not that of, means that it is; a uid of "" is any.
func (c *Snapshots) deleteIfExists(ctx context.Context, r kube.Resource, ns, name string, uid types.UID) error {
	err := c.Kube.Delete(ctx, r, ns, name, kube.DeleteOptions{UID: string(uid)})
	if apierrors.IsNotFound(err) || uid != "" && apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// IsPermanent implements volume.Snapshotter. The API server refuses, or EC2 does where it is
// asked about the snapshots.
func (c *Snapshots) IsPermanent(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || ebs.IsPermanent(err)
}
