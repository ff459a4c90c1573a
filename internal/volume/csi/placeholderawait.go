package csi

import (
	"context"
	"fmt"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/snapshotcontent"
)

// placeholder is a content whose deletion is that of its snapshot.
type placeholder struct {
	kube  *kube.Client
	name  string
	times deletionTimes
	made  bool // for this purpose, hence to be deleted in any case

	backup    string                 // of a content that the backup left
	snapshot  corev1.ObjectReference // its VolumeSnapshot, which may be there
	requested bool                   // its deletion was asked for, now or by an attempt before
}

// awaitDeletion deletes the content once the snapshotter has taken it over, and waits until it
// is gone, which says that the snapshot is gone too. If the driver cannot delete it in
// time, the request is taken back.
func (p *placeholder) awaitDeletion(ctx context.Context) (volume.Deletion, error) {
	for began, wait := time.Now(), p.times.first; ; wait = min(2*wait, p.times.most) {
		c, err := kube.Read[snapshotv1.VolumeSnapshotContent](ctx, p.kube, kube.VolumeSnapshotContents(), "", p.name)
		if apierrors.IsNotFound(err) {
			return p.confirmDeleted(ctx)
		}
		if err != nil {
			return volume.Deletion{}, err
		}
		if end, ok := p.verdict(&c, time.Since(began)); ok {
			return p.release(ctx, end)
		}
		if err := p.deleteContent(ctx, &c); err != nil {
			return volume.Deletion{}, err
		}
		if err := poll.Wait(ctx, wait); err != nil {
			return volume.Deletion{}, err
		}
	}
}

// deleteContent deletes the content. Before the snapshotter has noted the handle on it, that
// would not delete the snapshot.
func (p *placeholder) deleteContent(ctx context.Context, c *snapshotv1.VolumeSnapshotContent) error {
	p.requested = p.requested || c.DeletionTimestamp != nil
	if p.requested || c.Status == nil || c.Status.SnapshotHandle == nil {
		return nil
	}
	err := p.kube.Delete(ctx, kube.VolumeSnapshotContents(), "", p.name, kube.DeleteOptions{UID: string(c.UID)})
	if err == nil || apierrors.IsNotFound(err) {
		p.requested = true
		return nil
	}
	return err
}

// verdict says whether, and how, the wait is over though the content is there.
func (p *placeholder) verdict(c *snapshotv1.VolumeSnapshotContent, waited time.Duration) (volume.Deletion, bool) {
	answer := AnswerOn(*c)
	retained := func(format string, args ...any) (volume.Deletion, bool) {
		return volume.Deletion{Outcome: volume.Retained, Reason: fmt.Sprintf(format, args...)}, true
	}
	switch {
	case snapshotcontent.GroupHandleOf(c) != "":
		return retained("%s", partOfGroup(snapshotcontent.GroupHandleOf(c)))
	case !p.requested && !answer.Known && SaysSnapshotIsGone(answer.Text, snapshotcontent.HandleOf(*c)) && waited >= p.times.insist:
		return volume.Deletion{Outcome: volume.Gone}, true
	case c.Spec.DeletionPolicy != snapshotv1.VolumeSnapshotContentDelete:
		return retained("an attempt before this one found that the driver does not delete it, and somebody has to see why")
	case waited < p.times.work:
		return volume.Deletion{}, false
	case answer.Text != "":
		return retained("the driver has not deleted it in %s: %s", p.times.work, answer.Text)
	case p.requested:
		return retained("the driver has not deleted it in %s; its log says why, a lock on the snapshot is one cause", p.times.work)
	default:
		return retained("no answer from the driver in %s; check that its snapshotter runs", p.times.work)
	}
}

// release ends what was begun: the driver is not to delete the snapshot any more, and
// what was made for it is removed, if need be without the snapshotter.
func (p *placeholder) release(ctx context.Context, end volume.Deletion) (volume.Deletion, error) {
	err := setDeletionPolicy(ctx, p.kube, p.name, snapshotv1.VolumeSnapshotContentRetain)
	if apierrors.IsNotFound(err) && p.requested {
		return p.confirmDeleted(ctx) // the driver was done in the last moment
	}
	if err != nil && !apierrors.IsNotFound(err) || !p.made {
		return end, err
	}
	if err := p.kube.Delete(ctx, kube.VolumeSnapshotContents(), "", p.name, kube.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return end, err
	}
	return end, p.removeContent(ctx)
}

// removeContent waits until the content is gone, and in the end removes what holds it.
func (p *placeholder) removeContent(ctx context.Context) error {
	for began, wait := time.Now(), p.times.first; time.Since(began) < p.times.release; wait = min(2*wait, p.times.most) {
		_, err := p.kube.Get(ctx, kube.VolumeSnapshotContents(), "", p.name)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := poll.Wait(ctx, wait); err != nil {
			return err
		}
	}
	_, err := patchContent(ctx, p.kube, p.name, map[string]any{"metadata": map[string]any{"finalizers": nil}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// confirmDeleted is what it means that the content is not there any more.
func (p *placeholder) confirmDeleted(ctx context.Context) (volume.Deletion, error) {
	if !p.requested {
		return volume.Deletion{}, fmt.Errorf("volume snapshot content %s is gone before its snapshot was deleted; trying again", p.name)
	}
	return volume.Deletion{Outcome: volume.Deleted}, p.deleteVolumeSnapshot(ctx)
}

// deleteVolumeSnapshot deletes the VolumeSnapshot of a content that the backup had left, if that one
// is the backup's too.
func (p *placeholder) deleteVolumeSnapshot(ctx context.Context) error {
	if p.made || p.snapshot.Name == "" {
		return nil
	}
	ns, name := p.snapshot.Namespace, p.snapshot.Name
	vs, err := kube.Read[snapshotv1.VolumeSnapshot](ctx, p.kube, kube.VolumeSnapshots(), ns, name)
	if err == nil && vs.UID == p.snapshot.UID && vs.Labels[resource.LabelBackup] == resource.LabelValue(p.backup) {
		err = p.kube.Delete(ctx, kube.VolumeSnapshots(), ns, name, kube.DeleteOptions{UID: string(vs.UID)})
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
