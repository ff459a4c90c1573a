package deletion

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// snapshotReader reads what a backup, ours or Velero's, says about its snapshots. A
// damaged backup is to be deleted too: what cannot be read is noted, and the rest used.
type snapshotReader struct {
	st       store.Store
	layout   layout.Backup
	arc      *archive.Archive // nil: Velero's tarball, or one that cannot be opened
	manifest archive.Manifest

	snapshots []volume.NativeSnapshot
	infos     []volume.Info
	contents  map[string]snapshotv1.VolumeSnapshotContent // by name

	snapshotsLost, contentsLost bool
	unread                      []string
}

func newSnapshotReader(st store.Store, backup string) *snapshotReader {
	return &snapshotReader{st: st, layout: layout.Backup{Name: backup}, contents: map[string]snapshotv1.VolumeSnapshotContent{}}
}

// readFiles reads the files beside the tarball, then of the tarball what they leave open.
func (r *snapshotReader) readFiles(ctx context.Context, doc *velerov1.Backup) error {
	ours, err := r.openArchive(ctx)
	if r.contentsLost, err = r.noteDamage(err); err != nil {
		return err
	}
	err = repository.EachEntry(ctx, r.st, r.manifest, r.layout.VolumeSnapshots(), func(s volume.NativeSnapshot) { r.snapshots = append(r.snapshots, s) })
	if r.snapshotsLost, err = r.noteDamage(err); err != nil {
		return err
	}
	err = repository.EachEntry(ctx, r.st, r.manifest, r.layout.VolumeInfo(), func(i volume.Info) { r.infos = append(r.infos, i) })
	infosLost, err := r.noteDamage(err)
	if err != nil {
		return err
	}
	switch {
	case r.arc != nil:
		err = repository.EachObject(ctx, r.arc, resource.VolumeSnapshotContents, r.addContent)
	case !ours:
		err = r.readForeignTarball(ctx, doc, infosLost)
	}
	lost, err := r.noteDamage(err)
	r.contentsLost = r.contentsLost || lost
	if err != nil {
		return err
	}
	err = repository.EachEntry(ctx, r.st, r.manifest, r.layout.CSIVolumeSnapshotContents(), r.addContent)
	if _, err = r.noteDamage(err); err != nil {
		return err
	}
	return r.noteRepositoryData(ctx)
}

// noteRepositoryData tells of data that Velero has copied into its own repository in the bucket:
// files of pods, and snapshots that were moved. Only a Velero can delete it.
func (r *snapshotReader) noteRepositoryData(ctx context.Context) error {
	var names []string
	err := repository.EachEntry(ctx, r.st, r.manifest, r.layout.PodVolumeBackups(), func(b velerov1.PodVolumeBackup) {
		if b.Status.SnapshotID != "" {
			names = append(names, fmt.Sprintf("volume %s of pod %s (%s)", b.Spec.Volume, resource.ObjectName(b.Spec.Pod.Namespace, b.Spec.Pod.Name), b.Status.SnapshotID))
		}
	})
	if _, err := r.noteDamage(err); err != nil {
		return err
	}
	for _, i := range r.infos {
		if i.SnapshotDataMoved {
			names = append(names, fmt.Sprintf("volume %s", cmp.Or(i.PVName, i.PVCName)))
		}
	}
	if len(names) == 0 {
		return nil
	}
	shown := strings.Join(names[:min(len(names), errorsTold)], ", ")
	if more := len(names) - errorsTold; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	r.unread = append(r.unread, fmt.Sprintf("data of %d volumes in Velero's repository (kopia or restic) in the bucket: %s; Lifeboat does not delete it: a Velero that has this location does, by 'velero backup delete' in place of this deletion, or its repository maintenance once its snapshots are removed by hand", len(names), shown))
	return nil
}

// openArchive opens a tarball of ours.
func (r *snapshotReader) openArchive(ctx context.Context) (ours bool, err error) {
	_, err = r.st.Head(ctx, r.layout.Manifest())
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if r.arc, err = archive.Open(ctx, repository.NewSource(r.st), r.layout); err == nil {
		r.manifest = r.arc.Manifest()
	}
	return true, err
}

// addContent keeps what is found first: the tarball's is newer than the file's.
func (r *snapshotReader) addContent(c snapshotv1.VolumeSnapshotContent) {
	if _, there := r.contents[c.Name]; !there {
		r.contents[c.Name] = c
	}
}

// noteDamage notes damage and takes it for no error.
func (r *snapshotReader) noteDamage(err error) (bool, error) {
	for _, kind := range []error{archive.ErrCorrupt, archive.ErrHostile, archive.ErrVersion} {
		if errors.Is(err, kind) {
			r.unread = append(r.unread, fmt.Sprintf("snapshots that nothing else of the backup names: %v", err))
			return true, nil
		}
	}
	return false, err
}

// readForeignTarball reads Velero's tarball, which is done from its beginning to its end, unless
// the backup has taken no CSI snapshot.
func (r *snapshotReader) readForeignTarball(ctx context.Context, doc *velerov1.Backup, infosLost bool) error {
	if !infosLost {
		if without, err := r.withoutCSI(ctx, doc); without || err != nil {
			return err
		}
	}
	body, _, err := r.st.Get(ctx, r.layout.Tarball())
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%s is missing: %w", r.layout.Tarball(), archive.ErrCorrupt)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", r.layout.Tarball(), err)
	}
	var found []snapshotv1.VolumeSnapshotContent
	_, err = archive.Scan(ctx, body, archive.DefaultHostileLimits(), func(k archive.Key, data []byte) error {
		var c snapshotv1.VolumeSnapshotContent
		if k.Resource == resource.VolumeSnapshotContents && json.Unmarshal(data, &c) == nil {
			found = append(found, c)
		}
		return nil
	})
	if err := errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("%s: %w", r.layout.Tarball(), err)
	}
	for _, c := range found { // only of a tarball that is whole
		r.addContent(c)
	}
	return nil
}

// withoutCSI tells a backup of Velero 1.13 or later that has taken no CSI snapshot:
// older ones have no volumeinfo.
func (r *snapshotReader) withoutCSI(ctx context.Context, doc *velerov1.Backup) (bool, error) {
	for _, i := range r.infos {
		if i.CSI != nil {
			return false, nil
		}
	}
	if doc.Status.CSIVolumeSnapshotsAttempted > 0 {
		return false, nil
	}
	_, err := r.st.Head(ctx, r.layout.VolumeInfo())
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
