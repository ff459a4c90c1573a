package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// Restorer makes EBS volumes of snapshots, at which restored PersistentVolumes point. It
// implements volume.Restorer.
type Restorer struct {
	Kube      *kube.Client // for what the cluster uses
	Locations *location.Set
	Run       volume.RestoreRun
	// LookAgain is how long Sweep waits for what EC2 may not show yet; quota.LookAgainFor if it
	// is zero. A simulated EC2 hides things for a shorter time.
	LookAgain time.Duration
}

// checker is one call of Check.
type checker struct {
	*Restorer
	view       volume.View
	byLocation map[string][]*volume.Restore
	volume.Findings
}

// Check looks the snapshots up and chooses a zone for each new volume.
func (r *Restorer) Check(ctx context.Context, all []*volume.Restore, view volume.View) (volume.Findings, error) {
	c := &checker{Restorer: r, view: view, byLocation: map[string][]*volume.Restore{}}
	for _, v := range all {
		c.sortIntoLocation(v)
	}
	for _, name := range slices.Sorted(maps.Keys(c.byLocation)) {
		if err := c.checkLocation(ctx, name, c.byLocation[name]); err != nil {
			return volume.Findings{}, err
		}
	}
	err := c.placeVolumes(ctx)
	return c.Findings, err
}

// sortIntoLocation refuses a volume of whose snapshot the files of the backup do not
// agree.
func (c *checker) sortIntoLocation(v *volume.Restore) {
	n, ok := c.view.Facts.Natives[v.PV]
	if !ok || n.Status.ProviderSnapshotID == "" {
		c.Refuse(contract.ErrTypeInvalid, "volume %s: the list of snapshots has no snapshot of it although volumeinfo says there is one; the files are not of one backup", v.PV)
		return
	}
	if text := c.contradiction(n); text != "" {
		c.Refuse(contract.ErrTypeInvalid, "volume %s: %s", v.PV, text)
		return
	}
	v.Disk.Location = n.Spec.Location
	c.byLocation[n.Spec.Location] = append(c.byLocation[n.Spec.Location], v)
}

// contradiction compares the two files that name a native snapshot.
func (c *checker) contradiction(n volume.NativeSnapshot) string {
	id, info := n.Status.ProviderSnapshotID, c.view.Facts.Infos[n.Spec.PersistentVolumeName].Native
	switch {
	case !volume.IsEBSSnapshotID(id):
		return fmt.Sprintf("the list of snapshots gives it %q, which is no id of an EBS snapshot (snap-…); restore another backup", id)
	case n.Spec.BackupName != "" && n.Spec.BackupName != c.Run.Backup:
		return fmt.Sprintf("the list of snapshots gives it one of backup %q; restore another backup", n.Spec.BackupName)
	case info != nil && info.SnapshotHandle != "" && info.SnapshotHandle != id:
		return fmt.Sprintf("the list of snapshots gives it %s, volumeinfo %s: the ids were mixed up; restore another backup", id, info.SnapshotHandle)
	}
	return ""
}

func sourceOf(n volume.NativeSnapshot) location.SnapshotSource {
	return location.SnapshotSource{Backup: n.Spec.BackupName, PV: n.Spec.PersistentVolumeName, Disk: n.Spec.ProviderVolumeID}
}

// checkLocation opens a VolumeSnapshotLocation and looks its snapshots uc.
func (c *checker) checkLocation(ctx context.Context, name string, volumes []*volume.Restore) error {
	if _, err := c.Locations.Find(name); err != nil {
		c.Refuse(contract.ErrTypeInvalid, "%d volumes (%s, …) were snapshotted through the VolumeSnapshotLocation %q: %v; add it under that very name, with the region that the snapshots are in",
			len(volumes), volumes[0].PV, name, err)
		return nil
	}
	_, loc, err := c.Locations.Get(ctx, name)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(volumes))
	for _, v := range volumes {
		ids = append(ids, c.view.Facts.Natives[v.PV].Status.ProviderSnapshotID)
	}
	found, err := loc.Snapshots(ctx, ids)
	if err != nil {
		return fmt.Errorf("look up snapshots: %w", err)
	}
	for _, v := range volumes {
		n := c.view.Facts.Natives[v.PV]
		snap, ok := found[n.Status.ProviderSnapshotID]
		if kind, text := sourceOf(n).WhyUnfit(snap, ok); text != "" {
			c.Refuse(kind, "volume %s: snapshot %s (location %s, region %s) %s", v.PV, n.Status.ProviderSnapshotID, name, loc.Region(), text)
			continue
		}
		v.Disk.Snapshot, v.Disk.Zone = volume.DiskSnapshot(snap), c.oldZone(v.PV)
		copySpeed(v.Disk, n, snap)
		v.Disk.MultiAttach = snap.Tags[ebs.TagMultiAttach] == "true" || isSharedDevice(c.view.Facts.Volumes[v.PV])
	}
	return c.askSourceSpeed(ctx, loc, volumes)
}

// askSourceSpeed asks EC2 for what a backup of Velero's does not record: IOPS and
// throughput of gp3 volumes, as long as the source still exists.
func (c *checker) askSourceSpeed(ctx context.Context, loc *ebs.Location, volumes []*volume.Restore) error {
	var ids []string
	for _, v := range volumes {
		if speedIsUnknown(v.Disk) {
			ids = append(ids, v.Disk.Snapshot.VolumeID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := loc.Volumes(ctx, ids)
	if err != nil && !errors.Is(err, ebs.ErrDenied) {
		return fmt.Errorf("look up source volumes: %w", err)
	}
	for _, v := range volumes {
		if source, ok := found[v.Disk.Snapshot.VolumeID]; ok && speedIsUnknown(v.Disk) && source.Type == v.Disk.Type {
			v.Disk.IOPS, v.Disk.Throughput = source.IOPS, source.Throughput
		}
	}
	return nil
}

// oldZone is where a volume was.
func (c *checker) oldZone(pv string) string {
	if zone := c.view.Facts.Natives[pv].Spec.VolumeAZ; zone != "" {
		return zone
	}
	if info := c.view.Facts.Infos[pv].Native; info != nil && info.VolumeAZ != "" {
		return info.VolumeAZ
	}
	o := c.view.Facts.Volumes[pv]
	return volume.Zone(&o)
}

// placeVolumes chooses zones in which nodes of the target cluster are.
func (c *checker) placeVolumes(ctx context.Context) error {
	if len(c.byLocation) == 0 {
		return nil
	}
	nodes, err := c.view.Nodes(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.byLocation)) {
		zones, text, err := c.usableZones(ctx, name, nodeZones(nodes))
		if err != nil {
			return err
		}
		if len(zones) == 0 {
			v := c.byLocation[name][0]
			c.Refuse(contract.ErrTypeInvalid, "%d volumes (%s, … of zone %q) have no zone to go to: %s", len(c.byLocation[name]), v.PV, v.Disk.Zone, text)
			continue
		}
		if err := c.spreadOverZones(ctx, c.byLocation[name], zones); err != nil {
			return err
		}
	}
	return nil
}

// usableZones are those of nodes that a location can make volumes in, or why there is none.
func (c *checker) usableZones(ctx context.Context, name string, ofNodes []string) ([]string, string, error) {
	if len(ofNodes) == 0 {
		return nil, "no node of the cluster has the label " + corev1.LabelTopologyZone + "; add nodes, then restore again", nil
	}
	if _, err := c.Locations.Find(name); err != nil {
		return ofNodes, "", nil //nolint:nilerr // refused already
	}
	_, loc, err := c.Locations.Get(ctx, name)
	if err != nil {
		return nil, "", err
	}
	able, err := loc.Zones(ctx)
	if errors.Is(err, ebs.ErrDenied) {
		return ofNodes, "", nil // EC2 will say so when a volume is made
	}
	if err != nil {
		return nil, "", fmt.Errorf("list zones: %w", err)
	}
	both := slices.DeleteFunc(slices.Clone(ofNodes), func(z string) bool { return !slices.Contains(able, z) })
	return both, fmt.Sprintf("the nodes are in %v, region %s of location %s has %v; add nodes in one of those, or correct config.region of the location", ofNodes, loc.Region(), name, able), nil
}

// spreadOverZones gives every volume its zone; volumes that pods mount together stay together.
func (c *checker) spreadOverZones(ctx context.Context, volumes []*volume.Restore, zones []string) error {
	old := make([]string, len(volumes))
	for i, v := range volumes {
		old[i] = v.Disk.Zone
	}
	groups, err := c.groupByPods(ctx, volumes, old, zones)
	if err != nil {
		return err
	}
	for i, zone := range chooseZones(old, groups, zones) {
		volumes[i].Disk.Zone = zone
		if old[i] != "" && zone != old[i] {
			c.Remark(volumes[i], report.New(report.VolumeMoved, fmt.Sprintf("there is no node in zone %s: the volume is restored in %s", old[i], zone)))
		}
	}
	return nil
}

// copySpeed makes the new volume like the one that was snapshotted, as far as backup and
// snapshot tell.
func copySpeed(d *volume.DiskPlan, n volume.NativeSnapshot, s ebs.Snapshot) {
	d.Type = n.Spec.VolumeType
	if n.Spec.VolumeIOPS != nil {
		d.IOPS = int32(max(0, min(*n.Spec.VolumeIOPS, 1<<30)))
	}
	d.IOPS = cmp.Or(numberInTag(s, ebs.TagIOPS), d.IOPS)
	d.Throughput = numberInTag(s, ebs.TagThroughput)
}

// isSharedDevice says that pods of several nodes write to the volume at once, which EBS
// serves with Multi-Attach only, as a block device. Backups of Velero's tell it by this
// alone.
func isSharedDevice(pv corev1.PersistentVolume) bool {
	return pv.Spec.VolumeMode != nil && *pv.Spec.VolumeMode == corev1.PersistentVolumeBlock &&
		slices.Contains(pv.Spec.AccessModes, corev1.ReadWriteMany)
}

func numberInTag(s ebs.Snapshot, key string) int32 {
	n, err := strconv.ParseInt(s.Tags[key], 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}

// speedIsUnknown says that the throughput of a gp3 volume is not known and its source may
// tell it.
func speedIsUnknown(d *volume.DiskPlan) bool {
	return d.Type == "gp3" && d.Throughput == 0 && d.Snapshot.VolumeID != "" && d.Snapshot.VolumeID != location.CopiedVolume
}
