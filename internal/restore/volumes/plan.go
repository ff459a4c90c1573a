package volumes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
	classResource = "storageclasses.storage.k8s.io"
)

// volumePlanner decides what becomes of volumes. It reads only, and looks at all that
// the restore will need: a snapshot that is gone is better known before the first
// write than after a thousand.
type volumePlanner struct {
	r      *restore.Service
	s      *restore.Run
	cat    kube.Catalog
	filter *filter.Restore
	wide   *filter.Restore // without the spec's included types: says what may come along
	facts  *volumeFacts
	live   *liveVolumes
	listed []corev1.Node // see nodes

	changes resource.Context // by ConfigMaps

	plan    *restore.Volumes
	reasons []report.Reason
	refused refusals
}

// Plan makes the plan, nil if no selected object has to do with volumes (touched).
// What cannot be restored as it is makes an error that names every cause.
func Plan(ctx context.Context, r *restore.Service, s *restore.Run, cat kube.Catalog, touched bool) (*restore.Volumes, []report.Reason, error) {
	_, src, err := r.Locations.Get(ctx, s.Source)
	if err != nil {
		return nil, nil, err
	}
	if !touched { // the restore of a single Secret does not read about volumes
		// A damaged file is damage also where this restore does not need it.
		l := archive.Layout{Backup: s.Archive.Backup}
		return nil, nil, repository.EachEntry(ctx, src, s.Arc.Manifest(), l.VolumeInfo(), func(volume.Info) {})
	}
	p := &volumePlanner{r: r, s: s, cat: cat, filter: s.Plan.Filter, plan: &restore.Volumes{}}
	if p.wide, err = widened(s, cat); err != nil {
		return nil, nil, err
	}
	if p.facts, err = readFacts(ctx, s, src); err != nil {
		return nil, nil, err
	}
	for _, step := range []func(context.Context) error{p.mapClasses, p.pair, p.look, p.disks, p.snapshots, p.handles, p.classes} {
		if err := step(ctx); err != nil {
			return nil, nil, fmt.Errorf("plan volumes: %w", err)
		}
	}
	return p.plan, p.reasons, p.refused.err("backup " + s.Archive.Backup)
}

// widened is the filter of what may come along with a claim: a restore of claims alone
// is a restore of their data too, unless the spec excludes what that needs.
func widened(s *restore.Run, cat kube.Catalog) (*filter.Restore, error) {
	spec := *s.Restore.Spec.DeepCopy()
	spec.IncludedResources = nil
	f, _, err := filter.NewRestore(&spec, nil, kube.FilterResolver(cat), filter.Contents{Resources: s.Arc.Resources()})
	return f, err
}

// pair makes an entry of every volume and claim of the backup, selected or not: rules
// ask for both.
func (p *volumePlanner) pair(context.Context) error {
	p.facts.join(func(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) {
		v := p.entry(pv, claim)
		d := p.facts.decide(pv, claim)
		v.Way = d.way
		if v.Selected && d.lost != "" && !p.off() {
			p.reason(&v, report.New(report.VolumeNotRestored, d.lost))
		}
		p.settle(&v)
		p.plan.Volumes = append(p.plan.Volumes, v)
		if claim != nil && snapshotOf(claim) != "" {
			p.plan.Taken = append(p.plan.Taken, resource.ObjectName(claim.Namespace, snapshotOf(claim)))
		}
	})
	return nil
}

func (p *volumePlanner) entry(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) restore.Volume {
	v := restore.Volume{PV: volumeName(pv, claim)}
	v.Reclaim, v.Labels = p.facts.reclaimPolicy(v.PV, pv), p.facts.labels(v.PV, pv)
	if pv != nil {
		capacity := pv.Spec.Capacity[corev1.ResourceStorage]
		v.Capacity, v.Class = capacity.Value(), cmp.Or(pv.Annotations[corev1.BetaStorageClassAnnotation], pv.Spec.StorageClassName)
		v.Selected = p.s.Selects(archive.Key{Resource: resource.PersistentVolumes, Name: pv.Name}, pv.Labels)
		if ref := pv.Spec.ClaimRef; ref != nil {
			v.Target = p.filter.TargetNamespace(ref.Namespace)
		}
	}
	if claim != nil {
		v.Namespace, v.Claim, v.Target = claim.Namespace, claim.Name, p.filter.TargetNamespace(claim.Namespace)
		v.Class = classOf(claim)
		v.Selected = v.Selected || p.s.Selects(archive.Key{Resource: resource.PersistentVolumeClaims, Namespace: v.Namespace, Name: v.Claim}, claim.Labels)
		if asked := claim.Spec.Resources.Requests[corev1.ResourceStorage]; v.Capacity == 0 {
			v.Capacity = asked.Value()
		}
	}
	v.Class = p.modifiedClass(claim, p.class(v.Class))
	return v
}

// off is restorePVs: false.
func (p *volumePlanner) off() bool {
	wanted := p.s.Restore.Spec.RestorePVs
	return wanted != nil && !*wanted
}

// settle applies what the restore's spec says: with restorePVs: false a claim whose
// data lies in a snapshot is provisioned empty; without permission for the
// cluster-scoped object that the data needs, so is any claim. A native volume is not
// pointed at its old disk: that may be in use by the cluster that was backed up, and
// would go with the restored claim.
func (p *volumePlanner) settle(v *restore.Volume) {
	if p.off() && (v.Way == restore.WayNative || v.Way == restore.WayCSI) {
		v.Way = restore.WayDynamic
	}
	needs := map[restore.Way]string{restore.WayNative: resource.PersistentVolumes, restore.WayKeep: resource.PersistentVolumes, restore.WayCSI: resource.VolumeSnapshotContents}[v.Way]
	if needs != "" && v.Selected && v.Claim != "" && !p.wide.IncludeRelated(needs, "") {
		v.Way = restore.WayDynamic
		p.reason(v, report.New(report.VolumeUnselected, "its data needs one of "+needs+", which the filters leave out: it gets an empty volume"))
	}
	if v.Way == restore.WayNative || v.Way == restore.WayKeep {
		v.Bind = v.PV
	}
}

// reason places a reason on the claim, or on the volume that has none.
func (p *volumePlanner) reason(v *restore.Volume, why report.Reason) {
	if v.Claim != "" {
		p.reasons = append(p.reasons, why.At(resource.PersistentVolumeClaims, v.Target, v.Claim))
		return
	}
	p.reasons = append(p.reasons, why.At(resource.PersistentVolumes, "", v.PV))
}

// each calls fn for the selected volumes of one way.
func (p *volumePlanner) each(w restore.Way, fn func(*restore.Volume)) {
	for i := range p.plan.Volumes {
		if v := &p.plan.Volumes[i]; v.Selected && v.Way == w {
			fn(v)
		}
	}
}

// refusals are the causes why a restore cannot begin.
type refusals struct {
	kind  string // of the first one
	texts []string
}

// add notes one cause; kind is a type of package contract.
func (r *refusals) add(kind, format string, args ...any) {
	if len(r.texts) == 0 {
		r.kind = kind
	}
	r.texts = append(r.texts, fmt.Sprintf(format, args...))
}

// refusalsShown bounds the length of an error: three hundred volumes of one missing
// location are one cause.
const refusalsShown = 10

func (r *refusals) err(what string) error {
	if len(r.texts) == 0 {
		return nil
	}
	shown := r.texts[:min(len(r.texts), refusalsShown)]
	text := what + ": " + strings.Join(shown, "; ")
	if more := len(r.texts) - len(shown); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return failure.New(cmp.Or(r.kind, contract.ErrTypeInvalid), errors.New(text))
}
