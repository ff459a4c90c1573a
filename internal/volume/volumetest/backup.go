package volumetest

import (
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Plan is a plan of volumes of these paths ("n" native, "c" CSI), each a unit of its own
// unless units are given.
func Plan(paths string, units ...volume.Unit) volume.Plan {
	var p volume.Plan
	for i, c := range paths {
		p.Volumes = append(p.Volumes, volume.Volume{
			PV: fmt.Sprint("pv-", i), Namespace: "shop", Claim: fmt.Sprint("claim-", i),
			Method: map[rune]volume.Method{'n': volume.MethodNative, 'c': volume.MethodCSI}[c],
		})
		if units == nil {
			p.Units = append(p.Units, volume.Unit{Volumes: []int{i}})
		}
	}
	p.Units = append(p.Units, units...)
	return p
}

// Backup is a backup of volumes of these paths, as the drivers know it: uid "uid", name
// "b", a minute for a driver to take a snapshot.
func Backup(paths string) *volume.Backup {
	b := &volume.Backup{UID: "uid", Name: "b", SnapshotTimeout: time.Minute, Volumes: Plan(paths).Volumes}
	for i := range b.Volumes {
		b.Volumes[i].Snapshot = "vs-" + b.Volumes[i].Claim
	}
	return b
}
