package csi

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/internal/volume/snapshotcontent"
)

// Restorer has storage classes fill claims from snapshots: it makes the VolumeSnapshots
// and contents that stand for them. It implements volume.Restorer.
type Restorer struct {
	Kube      *kube.Client
	Locations *location.Set
	Run       volume.RestoreRun
	// Window is how many objects are made at a time; the client's limiter has the last
	// word.
	Window int

	probe probeTimes // the zero value is the usual times
}

// checker is one call of Check.
type checker struct {
	*Restorer
	view volume.View
	volume.Findings
}

// Check finds out what fills the claims, and asks EC2 for the snapshots that it can tell
// of.
func (r *Restorer) Check(ctx context.Context, all []*volume.Restore, view volume.View) (volume.Findings, error) {
	c := &checker{Restorer: r, view: view}
	if !view.Serves(resource.VolumeSnapshots) || !view.Serves(resource.VolumeSnapshotContents) {
		c.Refuse(contract.ErrTypeInvalid, "claims are to be filled from CSI snapshots and the cluster does not serve %s; install the CSI snapshot controller and its definitions, or restore without data (--restore-volumes=false)", resource.VolumeSnapshots)
		return c.Findings, nil
	}
	if err := c.planSnapshots(ctx, all); err != nil {
		return volume.Findings{}, err
	}
	err := c.checkHandles(ctx, all)
	return c.Findings, err
}

// planSnapshots finds the snapshot of each claim and names the objects that will stand
// for it.
func (c *checker) planSnapshots(ctx context.Context, all []*volume.Restore) error {
	classes, err := c.classOfDriver(ctx)
	if err != nil {
		return err
	}
	claims, uses := c.view.Facts.ClaimsByName(), map[string]int{}
	for _, claim := range claims {
		uses[volume.SnapshotOf(claim)]++ // in all namespaces
	}
	for _, v := range all {
		s, kind, text := findSnapshot(c.view.Facts, v.PV, claims[v.ClaimKey()])
		if text != "" {
			c.Refuse(kind, "claim %s: %s; restore another backup", v.ClaimKey(), text)
			continue
		}
		s.Class = classes[s.Driver]
		key := s.VolumeSnapshot
		if uses[key] > 1 {
			key = v.Namespace + "/" + key // Velero does not foresee two of one name
		}
		s.Name = restoredName(c.Run.UID, key)
		v.Snapshot = s
	}
	return nil
}

// classOfDriver is the first VolumeSnapshotClass of each driver, as with Velero.
func (c *checker) classOfDriver(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	if !c.view.Serves(resource.VolumeSnapshotClasses) {
		return out, nil
	}
	err := kube.List(ctx, c.Kube, kube.VolumeSnapshotClasses(), "", "", func(class snapshotv1.VolumeSnapshotClass) error {
		if out[class.Driver] == "" {
			out[class.Driver] = class.Name
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list volume snapshot classes: %w", err)
	}
	return out, nil
}

// restoredName is the name of restored snapshot and content, as with Velero: the
// restore's uid makes it new for each restore, and the same for each try.
func restoredName(uid, snapshot string) string {
	sum := sha256.Sum256([]byte(uid + "/" + snapshot))
	return hex.EncodeToString(sum[:])
}

// findSnapshot gathers what the backup says of a claim's snapshot: its content, the notes
// on the snapshot object, volumeinfo. kind and text say what is missing
// or does not agree.
func findSnapshot(f *volume.Facts, pv string, claim *corev1.PersistentVolumeClaim) (s *volume.SnapshotPlan, kind, text string) {
	var info volume.CSIInfo
	if i := f.Infos[pv].CSI; i != nil && i.SnapshotHandle != volume.Unknown {
		info = *i
	}
	name := volume.SnapshotOf(claim)
	vs := f.Snapshots[resource.ObjectName(claim.Namespace, name)]
	vsc := findContent(f, resource.ObjectName(claim.Namespace, name), vs, info.VSCName)
	s = &volume.SnapshotPlan{
		VolumeSnapshot: cmp.Or(name, vsc.Spec.VolumeSnapshotRef.Name, info.VSCName, claim.Name),
		Handle:         cmp.Or(snapshotcontent.HandleOf(vsc), vs.Annotations[AnnotationHandle], info.SnapshotHandle),
		Driver:         cmp.Or(vsc.Spec.Driver, vs.Annotations[AnnotationDriver], info.Driver),
		Size:           cmp.Or(RestoreSizeOf(vs, vsc), info.Size),
		Annotations:    snapshotcontent.SecretAnnotationsOf(vsc.Annotations),
	}
	if mode := vsc.Spec.SourceVolumeMode; mode != nil {
		s.SourceMode = string(*mode)
	}
	switch {
	case s.Handle == "":
		return nil, contract.ErrTypeNotFound, "the backup does not say which snapshot holds its data (no handle in its VolumeSnapshotContent nor in volumeinfo)"
	case s.Driver == "":
		return nil, contract.ErrTypeNotFound, fmt.Sprintf("the backup does not say which driver snapshot %s is of", s.Handle)
	case info.SnapshotHandle != "" && info.SnapshotHandle != s.Handle:
		return nil, contract.ErrTypeInvalid, fmt.Sprintf("the backup names two snapshots for it, %s and, in volumeinfo, %s: the ids were mixed up", s.Handle, info.SnapshotHandle)
	}
	return s, "", ""
}

// findContent finds the content of a snapshot: by the snapshot's status, by its own
// reference, or by what volumeinfo says.
func findContent(f *volume.Facts, snapshot string, vs snapshotv1.VolumeSnapshot, named string) snapshotv1.VolumeSnapshotContent {
	if vs.Status != nil && vs.Status.BoundVolumeSnapshotContentName != nil {
		if c, ok := f.Contents[*vs.Status.BoundVolumeSnapshotContentName]; ok {
			return c
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Contents)) {
		ref := f.Contents[name].Spec.VolumeSnapshotRef
		if ref.Name != "" && resource.ObjectName(ref.Namespace, ref.Name) == snapshot {
			return f.Contents[name]
		}
	}
	return f.Contents[named]
}
