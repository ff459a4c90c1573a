package drill

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// countJobs counts the Jobs of the drill. They go with their namespaces.
func (r *remains) countJobs(ctx context.Context) error {
	return kube.List(ctx, r.service.Kube, kube.Jobs(), "", r.selector, func(j metav1.PartialObjectMetadata) error {
		r.note(kube.Jobs().GroupResource(), j.Namespace+"/"+j.Name, fmt.Sprintf("finalizers %v", j.Finalizers))
		return nil
	})
}

// addDisk keeps the id of the EC2 volume behind a volume of the copy: once the volume is gone,
// nothing in the cluster names it.
func (r *remains) addDisk(pv *corev1.PersistentVolume) {
	if id := volume.EBSID(pv); id != "" && !slices.Contains(r.disks, id) {
		r.disks = append(r.disks, id)
	}
}

// lookAtEC2 counts the volumes of the copy that are in EC2, by any location, and snapshots of
// them. Where no location answers, that is told and holds nothing up: what is in the cluster is
// removed all the same.
func (r *remains) lookAtEC2(ctx context.Context) error {
	r.found.Disks = r.disks
	if r.service.Snapshots == nil {
		return nil
	}
	volumes, snapshots := map[string]ebs.Volume{}, map[string]ebs.Snapshot{}
	unheard, err := r.service.Snapshots.AskEach(ctx, func(ctx context.Context, _ string, l *ebs.Location) (bool, error) {
		err := findDisks(ctx, l, r.disks, volumes, snapshots)
		r.found.Looked = r.found.Looked || err == nil
		return false, err
	})
	if err != nil {
		return err
	}
	for _, u := range unheard {
		r.found.Unlooked = fmt.Sprintf("volume snapshot location %s: %v", u.Location, u.Err)
	}
	for _, id := range slices.Sorted(maps.Keys(volumes)) {
		r.note(contract.EC2Volumes, id, "is "+volumes[id].State)
	}
	for _, id := range slices.Sorted(maps.Keys(snapshots)) {
		r.note(contract.EC2Snapshots, id, "was taken of "+snapshots[id].VolumeID)
	}
	return nil
}

// findDisks finds what an account has of disks. A volume that EC2 is deleting has gone.
func findDisks(ctx context.Context, l *ebs.Location, ids []string, volumes map[string]ebs.Volume, snapshots map[string]ebs.Snapshot) error {
	if len(ids) == 0 {
		return nil
	}
	found, err := l.Volumes(ctx, ids)
	if err != nil {
		return err
	}
	maps.DeleteFunc(found, func(_ string, v ebs.Volume) bool {
		return v.State == ebs.VolumeDeleting || v.State == ebs.VolumeDeleted
	})
	maps.Copy(volumes, found)
	taken, err := l.OwnSnapshotsOf(ctx, ids)
	for _, s := range taken {
		snapshots[s.ID] = s
	}
	return err
}
