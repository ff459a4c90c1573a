package activities

import (
	"context"
	"fmt"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore/volumes"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// standIn is a content whose deletion is that of its snapshot.
type standIn struct {
	kube  *kube.Client
	name  string
	times csiTimes
	made  bool // for this purpose, hence to be deleted in any case

	backup   string                 // of a content that the backup left
	snapshot corev1.ObjectReference // its VolumeSnapshot, which may be there
	asked    bool                   // its deletion was asked for, now or by an attempt before
}

// await deletes the content once the snapshotter has taken it over, and waits until it
// is gone, which says that the snapshot is. A driver that cannot delete it in time is
// taken its task off again.
func (s *standIn) await(ctx context.Context) (ebs.Deletion, error) {
	for began, wait := time.Now(), s.times.first; ; wait = min(2*wait, s.times.most) {
		c, err := kube.Read[snapshotv1.VolumeSnapshotContent](ctx, s.kube, kube.VolumeSnapshotContents(), "", s.name)
		if kube.IsNotFound(err) {
			return s.gone(ctx)
		}
		if err != nil {
			return ebs.Deletion{}, err
		}
		if end, ok := s.verdict(&c, time.Since(began)); ok {
			return s.letGo(ctx, end)
		}
		if err := s.ask(ctx, &c); err != nil {
			return ebs.Deletion{}, err
		}
		if err := poll.Sleep(ctx, wait); err != nil {
			return ebs.Deletion{}, err
		}
	}
}

// ask deletes the content. Before the snapshotter has noted the handle on it, that
// would not delete the snapshot.
func (s *standIn) ask(ctx context.Context, c *snapshotv1.VolumeSnapshotContent) error {
	s.asked = s.asked || c.DeletionTimestamp != nil
	if s.asked || c.Status == nil || c.Status.SnapshotHandle == nil {
		return nil
	}
	err := s.kube.Delete(ctx, kube.VolumeSnapshotContents(), "", s.name, kube.DeleteOptions{UID: string(c.UID)})
	if err == nil || kube.IsNotFound(err) {
		s.asked = true
		return nil
	}
	return err
}

// verdict says whether, and how, the wait is over though the content is there.
func (s *standIn) verdict(c *snapshotv1.VolumeSnapshotContent, waited time.Duration) (ebs.Deletion, bool) {
	said := volumes.AnswerOn(*c)
	retained := func(format string, args ...any) (ebs.Deletion, bool) {
		return ebs.Deletion{Outcome: ebs.Retained, Reason: fmt.Sprintf(format, args...)}, true
	}
	switch {
	case csi.GroupHandleOf(c) != "":
		return retained("%s", partOfGroup(csi.GroupHandleOf(c)))
	case !s.asked && !said.Known && csi.SaysSnapshotIsGone(said.Text) && waited >= s.times.insist:
		return ebs.Deletion{Outcome: ebs.Gone}, true
	case c.Spec.DeletionPolicy != snapshotv1.VolumeSnapshotContentDelete:
		return retained("an attempt before this one found that the driver does not delete it, and somebody has to see why")
	case waited < s.times.work:
		return ebs.Deletion{}, false
	case said.Text != "":
		return retained("the driver has not deleted it in %s: %s", s.times.work, said.Text)
	case s.asked:
		return retained("the driver has not deleted it in %s; its log says why, a lock on the snapshot is one cause", s.times.work)
	default:
		return retained("no answer from the driver in %s; check that its snapshotter runs", s.times.work)
	}
}

// letGo ends what was begun: the driver is not to delete the snapshot any more, and
// what was made for it is removed, if need be without the snapshotter.
func (s *standIn) letGo(ctx context.Context, end ebs.Deletion) (ebs.Deletion, error) {
	err := patchContent(ctx, s.kube, s.name, map[string]any{"spec": map[string]any{"deletionPolicy": snapshotv1.VolumeSnapshotContentRetain}})
	if kube.IsNotFound(err) && s.asked {
		return s.gone(ctx) // the driver was done in the last moment
	}
	if err != nil && !kube.IsNotFound(err) || !s.made {
		return end, err
	}
	if err := s.kube.Delete(ctx, kube.VolumeSnapshotContents(), "", s.name, kube.DeleteOptions{}); err != nil && !kube.IsNotFound(err) {
		return end, err
	}
	return end, s.remove(ctx)
}

// remove waits until the content is gone, and in the end removes what holds it.
func (s *standIn) remove(ctx context.Context) error {
	for began, wait := time.Now(), s.times.first; time.Since(began) < s.times.letGo; wait = min(2*wait, s.times.most) {
		_, err := s.kube.Get(ctx, kube.VolumeSnapshotContents(), "", s.name)
		if kube.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := poll.Sleep(ctx, wait); err != nil {
			return err
		}
	}
	err := patchContent(ctx, s.kube, s.name, map[string]any{"metadata": map[string]any{"finalizers": nil}})
	if kube.IsNotFound(err) {
		return nil
	}
	return err
}

// gone is what it means that the content is not there any more.
func (s *standIn) gone(ctx context.Context) (ebs.Deletion, error) {
	if !s.asked {
		return ebs.Deletion{}, fmt.Errorf("volume snapshot content %s is gone before its snapshot was deleted; trying again", s.name)
	}
	return ebs.Deletion{Outcome: ebs.Deleted}, s.unbind(ctx)
}

// unbind deletes the VolumeSnapshot of a content that the backup had left, if that one
// is the backup's too.
func (s *standIn) unbind(ctx context.Context) error {
	if s.made || s.snapshot.Name == "" {
		return nil
	}
	ns, name := s.snapshot.Namespace, s.snapshot.Name
	vs, err := kube.Read[snapshotv1.VolumeSnapshot](ctx, s.kube, kube.VolumeSnapshots(), ns, name)
	if err == nil && vs.UID == s.snapshot.UID && vs.Labels[resource.LabelBackup] == resource.LabelValue(s.backup) {
		err = s.kube.Delete(ctx, kube.VolumeSnapshots(), ns, name, kube.DeleteOptions{UID: string(vs.UID)})
	}
	if kube.IsNotFound(err) {
		return nil
	}
	return err
}
