package repository

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// ClusterName says to which cluster a name of a cluster belongs in a location, so that two
// clusters do not work under one name.
type ClusterName struct {
	Cluster  string    `json:"cluster"`
	UID      string    `json:"uid"` // of the namespace kube-system
	Since    time.Time `json:"since"`
	Replaced string    `json:"replaced,omitempty"` // the UID that the name belonged to before
}

// BindClusterName makes sure that in this location the configured name of the cluster
// belongs to the cluster of that UID. The first who asks gets it. Another gets it only where
// the configuration says that it replaces the one that has it; otherwise the error is
// failure.NameTaken. A location that is ReadOnly is for restores, also into another cluster:
// there the name matters to nobody.
func (l *Locations) BindClusterName(ctx context.Context, bsl *velerov1.BackupStorageLocation, st store.Store, uid string) error {
	if isReadOnly(bsl) {
		return nil
	}
	owner, err := l.clusterNameOwner(ctx, bsl, st, uid)
	if err != nil || owner.UID == uid {
		return err
	}
	mine := ClusterName{Cluster: l.cfg.Cluster, UID: uid, Since: time.Now().UTC().Truncate(time.Second), Replaced: owner.UID}
	err = PutJSON(ctx, st, layout.ClusterName(l.cfg.Cluster), mine, store.PutOptions{IfAbsent: owner.UID == ""})
	if errors.Is(err, store.ErrExists) { // somebody was faster
		_, err = l.clusterNameOwner(ctx, bsl, st, uid)
	}
	return err
}

// CheckClusterName fails as BindClusterName does, and writes nothing.
func (l *Locations) CheckClusterName(ctx context.Context, bsl *velerov1.BackupStorageLocation, st store.Store, uid string) error {
	_, err := l.clusterNameOwner(ctx, bsl, st, uid)
	return err
}

// clusterNameOwner is who has the name: the cluster of that UID, one that it replaces, or,
// with an empty UID, nobody.
func (l *Locations) clusterNameOwner(ctx context.Context, bsl *velerov1.BackupStorageLocation, st store.Store, uid string) (ClusterName, error) {
	var owner ClusterName
	err := GetJSON(ctx, st, layout.ClusterName(l.cfg.Cluster), &owner)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ClusterName{}, nil
	case archive.IsDamaged(err):
		return owner, fmt.Errorf("look up who has the name of cluster %s: %w; delete that file if no other cluster has the name in this bucket and prefix", l.cfg.Cluster, err)
	case err != nil:
		return owner, fmt.Errorf("look up who has the name of cluster %s: %w", l.cfg.Cluster, err)
	case owner.UID == "":
		return owner, fmt.Errorf("%s names no cluster: %w", layout.ClusterName(l.cfg.Cluster), archive.ErrCorrupt)
	case owner.UID == uid || owner.UID == l.cfg.ReplacesCluster:
		return owner, nil
	}
	return owner, failure.NameTaken("cluster: the name %q belongs in storage location %s (bucket %s, prefix %q) to the cluster with the uid %s, since %s; the cluster of this worker has the uid %s (of its namespace kube-system). Give this cluster a name of its own, or a bucket or prefix; if it was rebuilt and the other one is gone, take the name over with replacesCluster: %s in the worker's configuration",
		l.cfg.Cluster, bsl.Name, bsl.Spec.ObjectStorage.Bucket, bsl.Spec.ObjectStorage.Prefix, owner.UID, owner.Since.Format(time.RFC3339), uid, owner.UID)
}

// IsOwn tells whether a backup was made of this cluster, which has that UID, by what the location says
// of the cluster's name: it may belong to another cluster there, or may have when the backup was
// made. Where the location does not say so, the name alone counts. Of a backup that names no
// cluster, as Velero's, it is true: nobody knows.
func (l *Locations) IsOwn(ctx context.Context, st store.Store, m archive.Manifest, uid string) (bool, error) {
	if m.Cluster != l.cfg.Cluster {
		return m.Cluster == "", nil
	}
	var owner ClusterName
	switch err := GetJSON(ctx, st, layout.ClusterName(m.Cluster), &owner); {
	case errors.Is(err, store.ErrNotFound):
		return true, nil
	case archive.IsDamaged(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look up who has the name of cluster %s: %w", m.Cluster, err)
	}
	return owner.UID == uid && (owner.Replaced == "" || !m.Created.Before(owner.Since)), nil
}

// ClusterNames are the names of the clusters that have worked in a location.
func ClusterNames(ctx context.Context, st store.Store) ([]string, error) {
	var names []string
	err := st.List(ctx, layout.ClustersDir, func(i store.Info) error {
		if name, ok := strings.CutSuffix(path.Base(i.Key), ".json"); ok {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	return names, nil
}
