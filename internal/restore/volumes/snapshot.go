package volumes

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
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// snapshots finds out what fills the claims that are provisioned from a snapshot.
func (p *volumePlanner) snapshots(ctx context.Context) error {
	if p.plan.Count(func(v *restore.Volume) bool { return v.Selected && v.Way == restore.WayCSI }) == 0 {
		return nil
	}
	if len(p.cat.Versions(resource.VolumeSnapshots)) == 0 || len(p.cat.Versions(resource.VolumeSnapshotContents)) == 0 {
		p.refused.add(contract.ErrTypeInvalid, "claims are to be filled from CSI snapshots and the cluster does not serve %s; install the CSI snapshot controller and its definitions, or restore without data (--restore-volumes=false)", resource.VolumeSnapshots)
		return nil
	}
	classes, err := p.snapshotClasses(ctx)
	if err != nil {
		return err
	}
	claims := p.facts.claimsByName()
	names := p.snapshotNames(claims)
	p.each(restore.WayCSI, func(v *restore.Volume) {
		claim := claims[resource.ObjectName(v.Namespace, v.Claim)]
		s, kind, text := p.facts.snapshot(v.PV, claim)
		if text != "" {
			p.refused.add(kind, "claim %s: %s; restore another backup", resource.ObjectName(v.Namespace, v.Claim), text)
			return
		}
		s.Class = classes[s.Driver]
		key := s.VolumeSnapshot
		if names[key] > 1 {
			key = v.Namespace + "/" + key // Velero does not foresee two of one name
		}
		s.Name = snapshotName(p.s.UID, key)
		v.Snapshot = s
	})
	return nil
}

// snapshotClasses is the first class of each driver, as with Velero.
func (p *volumePlanner) snapshotClasses(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	if len(p.cat.Versions(resource.VolumeSnapshotClasses)) == 0 {
		return out, nil
	}
	err := kube.List(ctx, p.r.Kube, kube.VolumeSnapshotClasses(), "", "", func(c snapshotv1.VolumeSnapshotClass) error {
		if out[c.Driver] == "" {
			out[c.Driver] = c.Name
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list volume snapshot classes: %w", err)
	}
	return out, nil
}

// snapshotNames counts how often a snapshot's name is used, over all namespaces.
func (p *volumePlanner) snapshotNames(claims map[string]*corev1.PersistentVolumeClaim) map[string]int {
	out := map[string]int{}
	for _, c := range claims {
		out[snapshotOf(c)]++
	}
	return out
}

// snapshotName is the name of restored snapshot and content, as with Velero: the
// restore's uid makes it new for each restore, and the same for each try.
func snapshotName(uid, snapshot string) string {
	sum := sha256.Sum256([]byte(uid + "/" + snapshot))
	return hex.EncodeToString(sum[:])
}

func (f *volumeFacts) claimsByName() map[string]*corev1.PersistentVolumeClaim {
	out := map[string]*corev1.PersistentVolumeClaim{}
	for i := range f.claims {
		out[resource.ObjectName(f.claims[i].Namespace, f.claims[i].Name)] = &f.claims[i]
	}
	return out
}

// snapshot gathers what the backup says of a claim's snapshot: its content, the notes
// on the snapshot object, volumeinfo. kind and text say what is missing
// or does not agree.
func (f *volumeFacts) snapshot(pv string, claim *corev1.PersistentVolumeClaim) (s *restore.SnapshotPlan, kind, text string) {
	var info volume.CSIInfo
	if i := f.infos[pv].CSI; i != nil && i.SnapshotHandle != volume.Unknown {
		info = *i
	}
	name := snapshotOf(claim)
	vs := f.snapshots[resource.ObjectName(claim.Namespace, name)]
	vsc := f.contentOf(resource.ObjectName(claim.Namespace, name), vs, info.VSCName)
	s = &restore.SnapshotPlan{
		VolumeSnapshot: cmp.Or(name, vsc.Spec.VolumeSnapshotRef.Name, info.VSCName, claim.Name),
		Handle:         cmp.Or(csi.SnapshotHandleOf(vsc), vs.Annotations[csi.AnnotationHandle], info.SnapshotHandle),
		Driver:         cmp.Or(vsc.Spec.Driver, vs.Annotations[csi.AnnotationDriver], info.Driver),
		Size:           cmp.Or(csi.RestoreSizeOf(vs, vsc), info.Size),
		Annotations:    csi.SecretAnnotationsOf(vsc.Annotations),
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

// contentOf finds the content of a snapshot: by the snapshot's status, by its own
// reference, or by what volumeinfo says.
func (f *volumeFacts) contentOf(snapshot string, vs snapshotv1.VolumeSnapshot, named string) snapshotv1.VolumeSnapshotContent {
	if vs.Status != nil && vs.Status.BoundVolumeSnapshotContentName != nil {
		if c, ok := f.contents[*vs.Status.BoundVolumeSnapshotContentName]; ok {
			return c
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.contents)) {
		ref := f.contents[name].Spec.VolumeSnapshotRef
		if ref.Name != "" && resource.ObjectName(ref.Namespace, ref.Name) == snapshot {
			return f.contents[name]
		}
	}
	return f.contents[named]
}
