//go:build stack

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// snapshotLocation is the VolumeSnapshotLocation of every lane's worker.
const snapshotLocation = "aws"

func withSnapshots(c *config.Config) {
	c.VolumeSnapshotLocations = []velerov1.VolumeSnapshotLocation{{
		TypeMeta:   metav1.TypeMeta{APIVersion: "velero.io/v1", Kind: "VolumeSnapshotLocation"},
		ObjectMeta: metav1.ObjectMeta{Name: snapshotLocation},
		Spec: velerov1.VolumeSnapshotLocationSpec{Provider: "aws", Config: map[string]string{
			"region": shared.EBS.Region, "credentialsFile": shared.EBS.WorkerFile,
		}},
	}}
}

// disks are a lane's volumes, and what undisturbed backups of them are like.
type disks struct {
	byClaim map[string]string // EBS volumes
	usual   map[string]*usual // by path
}

// usual is an undisturbed backup of volumes.
type usual struct {
	*trace
	outcome *volumeOutcome
}

// The claims of a lane's volumes: two of the driver, one with a volume of the form
// from before CSI, which takes the native path always.
const (
	firstClaim  = "data"
	secondClaim = "logs"
	oldClaim    = "old"
	spareClaim  = "spare" // its volume is the old claim's
)

// volumePaths are what a spec names: with a location every volume is native, without
// one the driver's volumes take the CSI path and the old one is native.
var volumePaths = map[string][]string{"native": {snapshotLocation}, "mixed": nil}

func (l *lane) diskSpace() string  { return "disks-" + l.name }
func (l *lane) spareSpace() string { return "spare-" + l.name }

func (l *lane) volumeSpec(path string) velerov1.BackupSpec {
	return velerov1.BackupSpec{
		IncludedNamespaces: []string{l.diskSpace()}, ExcludedResources: []string{"events", "events.events.k8s.io"}, VolumeSnapshotLocations: volumePaths[path],
	}
}

// withVolumes makes the lane's volumes at first use.
func (l *lane) withVolumes(ctx context.Context) error {
	if l.disks != nil {
		return nil
	}
	d := &disks{byClaim: map[string]string{}, usual: map[string]*usual{}}
	for _, step := range []func() error{
		func() error { return create(ctx, l.Kube, namespaceKind, "", m{"metadata": m{"name": l.diskSpace()}}) },
		func() error { return create(ctx, l.Kube, namespaceKind, "", m{"metadata": m{"name": l.spareSpace()}}) },
		func() error { return l.makeClaims(ctx, l.diskSpace(), stack.EBSClassNow, "", firstClaim, secondClaim) },
		func() error { return l.makeClaims(ctx, l.spareSpace(), stack.EBSClassNow, "", spareClaim) },
		func() error { return l.makeOld(ctx, d) },
		func() error {
			return create(ctx, l.Kube, configKind, l.diskSpace(), m{"metadata": m{"name": "beside"}, "data": m{"n": "1"}})
		},
		func() error { return l.findDisks(ctx, d) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("make volumes: %w", err)
		}
	}
	l.disks = d
	return nil
}

func (l *lane) makeClaims(ctx context.Context, ns, class, volume string, names ...string) error {
	for _, name := range names {
		err := create(ctx, l.Kube, kube.Claims(), ns, m{"metadata": m{"name": name, "labels": m{"app": name}}, "spec": m{
			"storageClassName": class, "volumeName": volume, "accessModes": []string{"ReadWriteOnce"},
			"resources": m{"requests": m{"storage": "1Gi"}},
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// makeOld makes a volume of the form from before CSI on the spare claim's disk.
func (l *lane) makeOld(ctx context.Context, d *disks) error {
	disk, err := l.disk(ctx, l.spareSpace(), spareClaim)
	if err != nil {
		return err
	}
	d.byClaim[oldClaim] = disk
	name := "old-" + l.name
	return errors.Join(
		create(ctx, l.Kube, kube.Volumes(), "", m{"metadata": m{"name": name}, "spec": m{
			"capacity": m{"storage": "1Gi"}, "accessModes": []string{"ReadWriteOnce"}, "persistentVolumeReclaimPolicy": "Retain",
			"awsElasticBlockStore": m{"volumeID": "aws://" + shared.EBS.Zones[0] + "/" + disk},
			"claimRef":             m{"namespace": l.diskSpace(), "name": oldClaim},
		}}),
		l.makeClaims(ctx, l.diskSpace(), "", name, oldClaim))
}

func (l *lane) findDisks(ctx context.Context, d *disks) (err error) {
	for _, name := range []string{firstClaim, secondClaim} {
		if d.byClaim[name], err = l.disk(ctx, l.diskSpace(), name); err != nil {
			return err
		}
	}
	_, err = l.boundVolume(ctx, l.diskSpace(), oldClaim)
	return err
}

// disk waits until a claim is bound and returns its EBS volume.
func (l *lane) disk(ctx context.Context, ns, claim string) (string, error) {
	pv, err := l.boundVolume(ctx, ns, claim)
	if err != nil {
		return "", err
	}
	if pv.Spec.CSI == nil {
		return "", fmt.Errorf("volume %s of claim %s is not of a driver", pv.Name, claim)
	}
	return pv.Spec.CSI.VolumeHandle, nil
}

func (l *lane) boundVolume(ctx context.Context, ns, name string) (pv corev1.PersistentVolume, err error) {
	err = until(ctx, "claim "+name+" is bound", func() (bool, error) {
		raw, err := l.Kube.Get(ctx, kube.Claims(), ns, name)
		if err != nil {
			return false, err
		}
		var claim corev1.PersistentVolumeClaim
		if err := json.Unmarshal(raw, &claim); err != nil || claim.Status.Phase != corev1.ClaimBound {
			return false, err
		}
		pv, err = kube.Read[corev1.PersistentVolume](ctx, l.Kube, kube.Volumes(), "", claim.Spec.VolumeName)
		return err == nil, err
	})
	return pv, err
}
