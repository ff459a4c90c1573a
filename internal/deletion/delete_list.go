package deletion

import (
	"context"
	"fmt"
	"maps"
	"slices"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// doomedSnapshots are the snapshots that go with a backup.
type doomedSnapshots struct {
	Native []doomedNative `json:"native,omitempty"`
	CSI    []doomedCSI    `json:"csi,omitempty"`
	// Unread says what of the backup could not be read, or names a snapshot that
	// cannot be deleted by what is said of it.
	Unread []string `json:"unread,omitempty"`
}

// doomedNative is an EBS snapshot.
type doomedNative struct {
	Location string `json:"location"` // the VolumeSnapshotLocation
	ID       string `json:"id"`       // snap-…
	PV       string `json:"pv,omitempty"`
}

func (n doomedNative) String() string { return fmt.Sprintf("snapshot %s of volume %s", n.ID, n.PV) }

// doomedCSI is a snapshot that a CSI driver deletes.
type doomedCSI struct {
	Driver      string            `json:"driver"`
	Handle      string            `json:"handle"`
	Content     string            `json:"content,omitempty"` // the VolumeSnapshotContent that stood for it
	Class       string            `json:"class,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"` // where its secrets are
	SourceMode  string            `json:"sourceMode,omitempty"`
	Group       string            `json:"group,omitempty"` // the group snapshot that it is a part of
}

func (c doomedCSI) String() string {
	return fmt.Sprintf("snapshot %s of driver %s", c.Handle, c.Driver)
}

func (c doomedCSI) key() string { return c.Driver + "/" + c.Handle }

func (d *doomedSnapshots) count() int { return len(d.Native) + len(d.CSI) }

// add takes in those of more that are not in d.
func (d *doomedSnapshots) add(more doomedSnapshots) {
	for _, n := range more.Native {
		if !slices.Contains(d.Native, n) {
			d.Native = append(d.Native, n)
		}
	}
	for _, c := range more.CSI {
		if !slices.ContainsFunc(d.CSI, func(o doomedCSI) bool { return o.key() == c.key() }) {
			d.CSI = append(d.CSI, c)
		}
	}
}

// doomed finds the snapshots that a backup says are its own, and makes sure that this
// worker knows where the native ones are.
func (b *Runner) doomed(ctx context.Context, st store.Store, name string, doc *velerov1.Backup) (doomedSnapshots, error) {
	r := newSnapshotReader(st, name)
	if err := r.read(ctx, doc); err != nil {
		return doomedSnapshots{}, err
	}
	only, err := b.Snapshots.Choose(nil)
	if err != nil {
		only = "" // several: which one is not known
	}
	d := doomedSnapshots{Native: r.natives(only), CSI: r.csi()}
	d.Unread = r.unread
	return d, b.reachable(ctx, d.Native)
}

// reachable fails for a location that this worker does not know, or cannot open.
func (b *Runner) reachable(ctx context.Context, natives []doomedNative) error {
	seen := map[string]bool{}
	for _, n := range natives {
		if seen[n.Location] {
			continue
		}
		seen[n.Location] = true
		if _, err := b.Snapshots.Find(n.Location); err != nil {
			return failure.Invalid("volumeSnapshotLocations: %s is in location %q, which this worker does not know; add it to volumeSnapshotLocations of its configuration under that very name", n, n.Location)
		}
		if _, _, err := b.Snapshots.Get(ctx, n.Location); err != nil {
			return err
		}
	}
	return nil
}

// natives are the snapshots that the file of native ones names. If that file is
// damaged, those of volumeinfo; it does not say where they are, which is clear only
// where there is one location.
func (r *snapshotReader) natives(only string) []doomedNative {
	var out []doomedNative
	for _, s := range r.snapshots {
		if id := s.Status.ProviderSnapshotID; id != "" {
			out = append(out, doomedNative{Location: s.Spec.Location, ID: id, PV: s.Spec.PersistentVolumeName})
		}
	}
	if !r.snapshotsLost {
		return out
	}
	for _, i := range r.infos {
		if i.Native == nil || i.Native.SnapshotHandle == "" {
			continue
		}
		n := doomedNative{Location: only, ID: i.Native.SnapshotHandle, PV: i.PVName}
		if only == "" {
			r.unread = append(r.unread, fmt.Sprintf("%s: what is left of the backup does not say in which location it is; delete it in EC2", n))
			continue
		}
		out = append(out, n)
	}
	return out
}

// csi are the snapshots of contents that the backup made: they carry its name, and
// were not made by a restore. Where contents could not be read, volumeinfo stands in
// for those; what it names besides is told and left alone.
func (r *snapshotReader) csi() []doomedCSI {
	var out []doomedCSI
	taken, others := map[string]bool{}, map[string]bool{}
	take := func(s doomedCSI) {
		if s.Handle != "" && !taken[s.key()] {
			out, taken[s.key()] = append(out, s), true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.contents)) {
		c := r.contents[name]
		s := doomedContent(&c)
		if c.Labels[resource.LabelBackup] == resource.LabelValue(r.layout.Backup) && c.Labels[resource.LabelRestore] == "" {
			take(s)
		} else {
			others[s.key()] = true
		}
	}
	for _, i := range r.infos {
		s, ok := doomedInfo(i)
		switch {
		case !ok || taken[s.key()]:
		case r.contentsLost && s.Driver != "" && !others[s.key()]:
			take(s)
		default:
			r.unread = append(r.unread, fmt.Sprintf("%s of volume %s: the backup holds no VolumeSnapshotContent of its own for it; delete it at its provider if nothing else uses it", s, i.PVName))
		}
	}
	return out
}

func doomedContent(c *snapshotv1.VolumeSnapshotContent) doomedCSI {
	s := doomedCSI{Driver: c.Spec.Driver, Handle: csi.SnapshotHandleOf(*c), Content: c.Name, Annotations: csi.SecretAnnotationsOf(c.Annotations)}
	if c.Spec.VolumeSnapshotClassName != nil {
		s.Class = *c.Spec.VolumeSnapshotClassName
	}
	if c.Spec.SourceVolumeMode != nil {
		s.SourceMode = string(*c.Spec.SourceVolumeMode)
	}
	s.Group = csi.GroupHandleOf(c)
	return s
}

// doomedInfo is what volumeinfo says of a CSI snapshot. One whose data was moved was
// deleted by Velero when it had been.
func doomedInfo(i volume.Info) (doomedCSI, bool) {
	if i.CSI == nil || i.SnapshotDataMoved || i.CSI.SnapshotHandle == "" || i.CSI.SnapshotHandle == volume.Unknown {
		return doomedCSI{}, false
	}
	return doomedCSI{Driver: i.CSI.Driver, Handle: i.CSI.SnapshotHandle, Content: i.CSI.VSCName, Group: i.CSI.GroupHandle}, true
}
