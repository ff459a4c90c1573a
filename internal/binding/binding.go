// Package binding holds a run to the cluster and the place in a bucket where it began.
// The first activity of a run binds it with Begin; the binding travels in the references of
// the contract and lies in the run's plan. Where files are read a later activity checks
// the place (repository.Locations.CheckPlace), and before it asks or changes the cluster
// it checks that by CheckCluster. What does not fit is failure.WrongWorker.
package binding

import (
	"context"
	"errors"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Begin binds a run to the cluster that answers and to the location that it writes to. It
// fails with failure.NameTaken where the cluster's name belongs to another cluster.
func Begin(ctx context.Context, kc *kube.Client, l *repository.Locations, bsl *velerov1.BackupStorageLocation, st store.Store) (contract.Binding, error) {
	uid, err := identity(ctx, kc)
	if err != nil {
		return contract.Binding{}, err
	}
	if err := l.BindClusterName(ctx, bsl, st, uid); err != nil {
		return contract.Binding{}, err
	}
	return contract.Binding{Cluster: uid, Place: repository.PlaceDigest(bsl)}, nil
}

// CheckCluster fails with failure.WrongWorker unless the cluster that answers is the run's.
// A run that is bound to none is not checked.
func CheckCluster(ctx context.Context, kc *kube.Client, b contract.Binding) error {
	if b.Cluster == "" {
		return nil
	}
	uid, err := identity(ctx, kc)
	if err != nil {
		return err
	}
	if uid != b.Cluster {
		return failure.WrongWorker("this worker serves the cluster with the uid %s (of its namespace kube-system), and the run is one of the cluster with the uid %s; a worker of that cluster goes on with it", uid, b.Cluster)
	}
	return nil
}

// identity asks for the cluster's UID. A refusal is not final: an API server that has just
// started refuses what it allows a moment later, and a worker that may not ask at all does
// not start.
func identity(ctx context.Context, kc *kube.Client) (string, error) {
	uid, err := kc.Identity(ctx)
	if err != nil && failure.TypeOf(err) != "" {
		err = errors.New(err.Error())
	}
	return uid, err
}
