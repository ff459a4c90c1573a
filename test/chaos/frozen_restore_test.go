//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// TestFrozenVolumeRestore stops a worker's process in the midst of a restore of volumes until another
// worker has its activities, and lets it go on: each claim has one volume, and no volume is left over.
func TestFrozenVolumeRestore(t *testing.T) {
	t.Parallel()
	var jobs []job
	for _, p := range []volumePoint{
		edge("RestoreVolumes", false, Before), edge("RestoreVolumes", true, Before), write("POST", "persistentvolumeclaims", false, Before),
	} {
		jobs = append(jobs, job{p.name, func(ctx context.Context, l *lane) error { return l.frozenRestore(ctx, p) }})
	}
	each(t, jobs)
}

func (l *lane) frozenRestore(ctx context.Context, at volumePoint) error {
	backup, _ := l.names("backup")
	if _, err := l.usualVolumes(ctx, "mixed"); err != nil {
		return err
	}
	l.arm(nil)
	if err := l.backup(ctx, backup, l.volumeSpec("mixed")); err != nil {
		return err
	}
	node := "node-" + l.name // volumes are made in a zone that has one
	if err := create(ctx, l.Kube, kube.Nodes(), "", m{"metadata": m{"name": node, "labels": m{corev1.LabelTopologyZone: shared.EBS.Zones[0]}}}); err != nil {
		return err
	}
	defer func() { _ = l.Kube.Delete(context.WithoutCancel(ctx), kube.Nodes(), "", node, kube.DeleteOptions{}) }()
	name, target, start := l.volumeRestore(backup, "-a")
	var res contract.RestoreResult
	undisturbed, err := l.record(ctx, start, &res)
	if err = errors.Join(err, l.volumesRestored(ctx, target, res)); err != nil {
		return fmt.Errorf("undisturbed restore %s: %w", name, err)
	}
	p, err := at.find(undisturbed)
	if err != nil {
		return err
	}
	_, target, start = l.volumeRestore(backup, "-b")
	res = contract.RestoreResult{}
	if err := l.frozen(ctx, p, start, &res); err != nil {
		return err
	}
	return errors.Join(l.volumesRestored(ctx, target, res), l.dropVolumes(ctx, backup))
}

// volumeRestore is a restore of a backup of the lane's volumes into another namespace. A suffix tells
// several of a scenario apart.
func (l *lane) volumeRestore(backup, suffix string) (name, target string, start starter) {
	name, target = l.names("restore")
	name, target = name+suffix, target+suffix
	l.rename(target, "TARGET", l.diskSpace(), "DISKS", name, "NAME", backup, "BACKUP", bulk, "BULK", l.name, "LANE")
	return name, target, l.execute(contract.RestoreID(l.Cluster, name), contract.RestoreWorkflow, contract.RestoreInput{Name: name, Spec: velerov1.RestoreSpec{
		BackupName: backup, NamespaceMapping: map[string]string{l.diskSpace(): target},
	}})
}

// volumesRestored fails unless each claim of a target has a volume of its own, and the account no
// other volume of the restore. The target goes then.
func (l *lane) volumesRestored(ctx context.Context, target string, res contract.RestoreResult) error {
	if res.Phase != "Completed" || res.Volumes != len(l.disks.byClaim) {
		return fmt.Errorf("restore is %s with %d volumes: %v", res.Phase, res.Volumes, res.Reasons)
	}
	for claim := range l.disks.byClaim {
		if _, err := l.boundVolume(ctx, target, claim); err != nil {
			return err
		}
	}
	state, err := shared.EBS.State(ctx)
	if err != nil {
		return err
	}
	made := 0
	for _, v := range state.Volumes {
		if v.Tags[ebs.TagRestoreUID] == res.UID || v.Tags["kubernetes.io/created-for/pvc/namespace"] == target {
			made++
		}
	}
	if made != len(l.disks.byClaim) {
		err = fmt.Errorf("%d volumes were made for %d claims", made, len(l.disks.byClaim))
	}
	return errors.Join(err, l.Kube.Delete(ctx, namespaceKind, "", target, kube.DeleteOptions{}))
}
