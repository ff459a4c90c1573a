//go:build stack

package chaos

import (
	"context"
	"errors"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// The histories of backups, restores and deletions with volumes of both paths.

func volumesBackup(ctx context.Context, l *lane) (client.WorkflowRun, error) {
	if err := l.withVolumes(ctx); err != nil {
		return nil, err
	}
	name, _ := l.names("backup")
	run, err := l.startBackup(name, l.volumeSpec("mixed"))(ctx)
	if err != nil {
		return nil, err
	}
	return run, errors.Join(run.Get(ctx, nil), l.removed(ctx, name))
}

// removed deletes a backup: other scenarios of the lane count its snapshots.
func (l *lane) removed(ctx context.Context, name string) error {
	run, err := l.startDelete(name)(ctx)
	if err != nil {
		return err
	}
	return run.Get(ctx, nil)
}

// volumesCancelled is a backup that is cancelled with snapshots to delete.
func volumesCancelled(ctx context.Context, l *lane) (run client.WorkflowRun, _ error) {
	u, err := l.usualVolumes(ctx, "mixed")
	if err != nil {
		return nil, err
	}
	// How often the driver's answers are read differs from run to run, not what is written.
	p, err := write("PATCH", "volumesnapshotcontents", false, Before).find(u.trace)
	if err != nil {
		return nil, err
	}
	name, _ := l.names("backup")
	err = l.struck(ctx, p, keeping(&run, l.startBackup(name, l.volumeSpec("mixed"))), cancel, nil)
	if err != nil && !temporal.IsCanceledError(err) {
		return nil, err
	}
	return run, nil
}

// volumesRestore restores beside the original, into a zone that has a node.
func volumesRestore(ctx context.Context, l *lane) (run client.WorkflowRun, err error) {
	if err := l.withVolumes(ctx); err != nil {
		return nil, err
	}
	name, target := l.names("restore")
	if err := l.backup(ctx, name, l.volumeSpec("mixed")); err != nil {
		return nil, err
	}
	node := "node-" + l.name
	err = create(ctx, l.Kube, kube.Nodes(), "", m{"metadata": m{"name": node, "labels": m{corev1.LabelTopologyZone: shared.EBS.Zones[0]}}})
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, l.Kube.Delete(ctx, kube.Nodes(), "", node, kube.DeleteOptions{}),
			l.Kube.Delete(ctx, namespaceKind, "", target, kube.DeleteOptions{}))
	}()
	run, err = l.execute(contract.RestoreID(l.Cluster, name), contract.RestoreWorkflow, contract.RestoreInput{Name: name, Spec: velerov1.RestoreSpec{
		BackupName: name, NamespaceMapping: map[string]string{l.diskSpace(): target},
	}})(ctx)
	if err != nil {
		return nil, err
	}
	return run, errors.Join(run.Get(ctx, nil), l.removed(ctx, name))
}

func volumesDelete(ctx context.Context, l *lane) (client.WorkflowRun, error) {
	if err := l.withVolumes(ctx); err != nil {
		return nil, err
	}
	name, _ := l.names("backup")
	if err := l.backup(ctx, name, l.volumeSpec("mixed")); err != nil {
		return nil, err
	}
	run, err := l.startDelete(name)(ctx)
	if err != nil {
		return nil, err
	}
	return run, run.Get(ctx, nil)
}
