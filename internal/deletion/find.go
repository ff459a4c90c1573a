package deletion

import (
	"context"
	"fmt"
	"maps"
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/snapshotcontent"
)

// findSnapshots finds the snapshots that a backup says are its own, and makes sure that
// this worker can reach them.
func (b *Runner) findSnapshots(ctx context.Context, st store.Store, name string, doc *velerov1.Backup) (volume.DeletionList, error) {
	r := newSnapshotReader(st, name)
	if err := r.readFiles(ctx, doc); err != nil {
		return volume.DeletionList{}, err
	}
	only, err := b.Snapshots.Choose(nil)
	if err != nil {
		only = "" // several: which one is not known
	}
	list := volume.DeletionList{Native: r.listNative(only), CSI: r.listCSI()}
	list.Unread = r.unread
	for method, refs := range list.ByMethod() {
		d, err := b.deleterOf(method)
		if err == nil {
			err = d.Check(ctx, refs)
		}
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

// listNative lists the snapshots that the file of native ones names. If that file is
// damaged, those of volumeinfo; it does not say where they are, which is clear only
// where there is one location.
func (r *snapshotReader) listNative(only string) []volume.NativeRef {
	var out []volume.NativeRef
	for _, s := range r.snapshots {
		if ref, ok := s.Ref(); ok {
			out = append(out, ref)
		}
	}
	if !r.snapshotsLost {
		return out
	}
	for _, i := range r.infos {
		if i.Native == nil || i.Native.SnapshotHandle == "" {
			continue
		}
		n := volume.NativeRef{Location: only, ID: i.Native.SnapshotHandle, PV: i.PVName}
		if only == "" {
			r.unread = append(r.unread, fmt.Sprintf("%s: what is left of the backup does not say in which location it is; delete it in EC2", n))
			continue
		}
		out = append(out, n)
	}
	return out
}

// listCSI lists the snapshots of contents that the backup made: they carry its name, and
// were not made by a restore. Where contents could not be read, volumeinfo stands in
// for those; what it names besides is told and left alone.
func (r *snapshotReader) listCSI() []volume.CSIRef {
	var out []volume.CSIRef
	taken, others := map[string]bool{}, map[string]bool{}
	take := func(s volume.CSIRef) {
		if s.Handle != "" && !taken[s.Key()] {
			out, taken[s.Key()] = append(out, s), true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.contents)) {
		c := r.contents[name]
		s := snapshotcontent.RefOf(&c)
		if c.Labels[resource.LabelBackup] == resource.LabelValue(r.layout.Name) && c.Labels[resource.LabelRestore] == "" {
			take(s)
		} else {
			others[s.Key()] = true
		}
	}
	for _, i := range r.infos {
		s, ok := i.CSIRef()
		switch {
		case !ok || taken[s.Key()]:
		case r.contentsLost && s.Driver != "" && !others[s.Key()]:
			take(s)
		default:
			r.unread = append(r.unread, fmt.Sprintf("%s of volume %s: the backup holds no VolumeSnapshotContent of its own for it; delete it at its provider if nothing else uses it", s, i.PVName))
		}
	}
	return out
}
