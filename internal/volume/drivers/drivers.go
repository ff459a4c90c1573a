// Package drivers is the registry of volume drivers: the one place that names every
// technology by which the data of volumes is kept. A new one is a folder beside this one
// that passes package volumetest, and one line in All.
package drivers

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
)

// Dependencies is what drivers work with. All of a worker's share them.
type Dependencies struct {
	Kube      *kube.Client
	Locations *location.Set
	// MaxPending is how many snapshots are pending at a time where only the cluster tells.
	MaxPending int
	// Window is how many objects are written at a time.
	Window int
}

// All are the technologies, in the order in which they reserve capacity. Native snapshots
// come first, since they wait for volumes: nobody may do that who holds capacity already
// (quota.KeepTurn).
func All(d Dependencies) volume.Technologies {
	return volume.Technologies{nativeSnapshots(d), csiSnapshots(d)}
}

func nativeSnapshots(d Dependencies) volume.Technology {
	return volume.Technology{
		Method:     volume.MethodNative,
		MakesDisks: true,
		Needs:      resource.PersistentVolumes,
		Snapshotter: func(ctx context.Context, b *volume.Backup) (volume.Snapshotter, error) {
			_, loc, err := d.Locations.Get(ctx, b.SnapshotLocation)
			return &native.Snapshots{Location: loc, Backup: b}, err
		},
		Restorer: func(run volume.RestoreRun) volume.Restorer {
			return &native.Restorer{Kube: d.Kube, Locations: d.Locations, Run: run}
		},
		Deleter:   &native.Deleter{Locations: d.Locations},
		Inspector: &native.Inspector{Locations: d.Locations},
	}
}

func csiSnapshots(d Dependencies) volume.Technology {
	quotas := &csi.Quotas{} // shared by all that this worker does
	return volume.Technology{
		Method:     volume.MethodCSI,
		HasObjects: true,
		Needs:      resource.VolumeSnapshotContents,
		Snapshotter: func(_ context.Context, b *volume.Backup) (volume.Snapshotter, error) {
			return &csi.Snapshots{Kube: d.Kube, Backup: b, Quotas: quotas, Locations: d.Locations, MaxPending: d.MaxPending}, nil
		},
		Restorer: func(run volume.RestoreRun) volume.Restorer {
			return &csi.Restorer{Kube: d.Kube, Locations: d.Locations, Run: run, Window: d.Window}
		},
		Deleter:   &csi.Deleter{Kube: d.Kube, Provider: &native.Deleter{Locations: d.Locations}},
		Inspector: &csi.Inspector{Kube: d.Kube, Locations: d.Locations},
	}
}
