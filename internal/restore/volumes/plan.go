package volumes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// planner decides what becomes of volumes. It reads only, and looks at all that the
// restore will need: a snapshot that is gone is better known before the first write than
// after a thousand.
type planner struct {
	r      *restore.Service
	s      *restore.Run
	cat    kube.Catalog
	filter *filter.Restore
	wide   *filter.Restore // without the spec's included types: says what may come along
	facts  *volume.Facts
	live   *liveVolumes
	nodes  []corev1.Node // see listNodes

	changes resource.Context // by ConfigMaps
	origin  string           // the cluster that was backed up, "" if it is this one; see otherOrigin

	// untold are claims, as "namespace/name" in the backup, whose data the backup does not
	// hold, and of which nothing has been said.
	untold map[string]bool

	plan *restore.Volumes
	volume.Findings
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
		l := layout.Backup{Name: s.Archive.Backup}
		err := repository.EachEntry(ctx, src, s.Arc.Manifest(), l.VolumeInfo(), func(volume.Info) {})
		if s.Restore.AllowCorrupt && archive.IsDamaged(err) {
			return nil, []report.Reason{report.New(report.BackupCorrupt, fmt.Sprintf("what backup %s says of volumes, of which this restore has none, is damaged: %v", s.Archive.Backup, err))}, nil
		}
		return nil, nil, err
	}
	p := &planner{r: r, s: s, cat: cat, filter: s.Plan.Filter, plan: &restore.Volumes{}, untold: map[string]bool{}}
	if p.origin, err = otherOrigin(ctx, r, s, src); err != nil {
		return nil, nil, err
	}
	if p.wide, err = widenFilter(s, cat); err != nil {
		return nil, nil, err
	}
	if p.facts, err = readFacts(ctx, s, src); err != nil {
		return nil, nil, err
	}
	for _, step := range []func(context.Context) error{
		p.mapStorageClasses, p.findUnusedClaims, p.pairClaimsWithVolumes, p.inspectCluster, p.checkDrivers, p.checkStorageClasses,
	} {
		if err := step(ctx); err != nil {
			return nil, nil, fmt.Errorf("plan volumes: %w", err)
		}
	}
	return p.plan, p.Reasons, refusalError("backup "+s.Archive.Backup, p.Refusals)
}

// otherOrigin is the name of the cluster that was backed up, "" if it is this one. Its name may be this
// one's, in a copied configuration or before a rebuilt cluster took it over.
func otherOrigin(ctx context.Context, r *restore.Service, s *restore.Run, src store.Store) (string, error) {
	m := s.Arc.Manifest()
	own, err := r.Locations.IsOwn(ctx, src, m, s.Archive.Ref.Binding.Cluster)
	if err != nil || own {
		return "", err
	}
	return m.Cluster, nil
}

// widenFilter is the filter of what may come along with a claim: a restore of claims alone
// is a restore of their data too, unless the spec excludes what that needs.
func widenFilter(s *restore.Run, cat kube.Catalog) (*filter.Restore, error) {
	spec := *s.Restore.Spec.DeepCopy()
	spec.IncludedResources = nil
	f, _, err := filter.NewRestore(&spec, nil, kube.FilterResolver(cat), filter.Contents{Resources: s.Arc.Resources()})
	return f, err
}

// pairClaimsWithVolumes makes an entry of every volume and claim of the backup, selected or
// not: rules ask for both.
func (p *planner) pairClaimsWithVolumes(context.Context) error {
	p.facts.Join(func(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) {
		v := p.describeVolume(pv, claim)
		d := p.facts.Decide(pv, claim)
		v.Disposition = d.Disposition
		if v.Selected && d.Lost != "" && !p.withoutData() {
			p.Remark(&v, report.New(report.VolumeNotRestored, d.Lost))
		}
		p.applySpec(&v)
		if d.Lost == "" && v.Disposition == d.Disposition && p.lacksData(&v, claim) {
			p.untold[v.ClaimKey()] = true
		}
		p.plan.Volumes = append(p.plan.Volumes, v)
		if claim != nil && volume.SnapshotOf(claim) != "" {
			p.plan.Taken = append(p.plan.Taken, resource.ObjectName(claim.Namespace, volume.SnapshotOf(claim)))
		}
	})
	return nil
}

// lacksData says that a selected claim had a volume and comes back with an empty one, which
// nobody asked for, or with the same one.
func (p *planner) lacksData(v *volume.Restore, claim *corev1.PersistentVolumeClaim) bool {
	if claim == nil || v.PV == "" || v.Disposition.Method() != "" || v.Disposition == volume.Dynamic && p.withoutData() {
		return false
	}
	return p.s.Selects(archive.Key{Resource: resource.PersistentVolumeClaims, Namespace: v.Namespace, Name: v.Claim}, claim.Labels)
}

// tellOfData tells of a claim whose data the backup does not hold what it gets.
func (p *planner) tellOfData(v *volume.Restore) {
	_, there := p.live.volumes[v.PV]
	switch {
	case !p.untold[v.ClaimKey()]:
	case v.Disposition == volume.Dynamic:
		text := "gets an empty volume: the backup has no data of it"
		if why := p.facts.Infos[v.PV].SkippedReason; why != "" {
			text += " (" + why + ")"
		}
		p.Remark(v, report.New(report.VolumeEmpty, text))
	case v.Disposition == volume.Keep && !there:
		p.Remark(v, report.New(report.VolumeShared, fmt.Sprintf("volume %s points at the same disk or share as in the cluster that was backed up", v.PV)))
	}
}

// describeVolume is what is known of a volume before its disposition is.
func (p *planner) describeVolume(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) volume.Restore {
	v := volume.Restore{PV: volume.NameOf(pv, claim)}
	v.Reclaim, v.Labels = p.facts.ReclaimPolicy(v.PV, pv), p.facts.Labels(v.PV, pv)
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
		if slices.Contains(p.plan.Unused, v.ClaimKey()) {
			v.Selected = false
		}
		if asked := claim.Spec.Resources.Requests[corev1.ResourceStorage]; v.Capacity == 0 {
			v.Capacity = asked.Value()
		}
	}
	v.Class = p.modifiedClass(claim, p.mappedClass(v.Class))
	return v
}

// withoutData is restorePVs: false.
func (p *planner) withoutData() bool {
	wanted := p.s.Restore.Spec.RestorePVs
	return wanted != nil && !*wanted
}

// applySpec applies what the restore's spec says: with restorePVs: false a claim whose data
// lies in a snapshot is provisioned empty; without permission for the cluster-scoped object
// that the data needs, so is any claim. A volume of which there is a snapshot is not pointed
// at its old disk: that may be in use by the cluster that was backed up, and would go with
// the restored claim.
func (p *planner) applySpec(v *volume.Restore) {
	if p.withoutData() && v.Disposition.Method() != "" {
		v.Disposition = volume.Dynamic
	}
	needs := p.neededType(v.Disposition)
	if needs != "" && v.Selected && v.Claim != "" && !p.wide.IncludeRelated(needs, "") {
		v.Disposition = volume.Dynamic
		p.Remark(v, report.New(report.VolumeUnselected, "its data needs one of "+needs+", which the filters leave out: it gets an empty volume"))
	}
	p.leaveForeignDisk(v)
	p.leaveSharedDisk(v)
	if v.Disposition == volume.Keep || p.makesDisk(v) {
		v.Bind = v.PV
	}
}

// leaveForeignDisk gives a volume up that would come back with the disk of another cluster,
// unless somebody asks for it.
func (p *planner) leaveForeignDisk(v *volume.Restore) {
	if v.Disposition == volume.Keep && v.Selected && p.origin != "" && !p.withVolumes() {
		v.Disposition = volume.Dynamic
		delete(p.untold, v.ClaimKey())
		p.Remark(v, report.New(report.VolumeEmpty, fmt.Sprintf(
			"gets an empty volume: no snapshot was taken of it, and its disk or share is one of cluster %s, which may use it; to have that, say --restore-volumes=true", p.origin)))
	}
}

// leaveSharedDisk gives a volume up in an isolated copy that the restore does not make: the
// original uses it.
func (p *planner) leaveSharedDisk(v *volume.Restore) {
	if p.s.Restore.Isolation == nil || v.Disposition.Method() != "" || v.Disposition == volume.Dynamic {
		return
	}
	v.Disposition = volume.Dynamic
	delete(p.untold, v.ClaimKey())
	if v.Selected {
		p.Remark(v, report.New(report.VolumeEmpty, "gets an empty volume: a copy binds no disk and no share that it did not make"))
	}
}

// withVolumes is restorePVs: true, which asks for what the default leaves alone.
func (p *planner) withVolumes() bool {
	wanted := p.s.Restore.Spec.RestorePVs
	return wanted != nil && *wanted
}

// neededType is the cluster-scoped type without which a disposition is not possible, ""
// for none.
func (p *planner) neededType(d volume.Disposition) string {
	if d == volume.Keep {
		return resource.PersistentVolumes
	}
	t, _ := p.r.Technologies.Find(d.Method())
	return t.Needs
}

// makesDisk says that a driver makes the disk of a volume.
func (p *planner) makesDisk(v *volume.Restore) bool {
	t, _ := p.r.Technologies.Find(v.Disposition.Method())
	return t.MakesDisks
}

// checkDrivers has the drivers plan how data comes back, and find out whether it can.
func (p *planner) checkDrivers(ctx context.Context) error {
	view := volume.View{
		Facts:  p.facts,
		Serves: func(gr string) bool { return len(p.cat.Versions(gr)) > 0 },
		Nodes:  p.listNodes,
		EachPod: func(ctx context.Context, fn func(corev1.Pod)) error {
			return repository.EachObject(ctx, p.s.Arc, resource.Pods, fn)
		},
	}
	return p.r.EachRestorer(p.s.ForDrivers(), p.plan, func(d volume.Restorer, all []*volume.Restore) error {
		found, err := d.Check(ctx, all, view)
		p.Add(found)
		return err
	})
}

// listNodes lists the cluster's nodes, once.
func (p *planner) listNodes(ctx context.Context) ([]corev1.Node, error) {
	if p.nodes != nil {
		return p.nodes, nil
	}
	nodes := []corev1.Node{}
	err := kube.List(ctx, p.r.Kube, kube.Nodes(), "", "", func(n corev1.Node) error {
		nodes = append(nodes, n)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	p.nodes = nodes
	return nodes, nil
}

// refusalsShown bounds the length of an error: three hundred volumes of one missing
// location are one cause.
const refusalsShown = 10

// refusalError says why a restore cannot begin; it is nil where nothing stands in its way.
// The kind is that of the first cause.
func refusalError(what string, all []volume.Refusal) error {
	if len(all) == 0 {
		return nil
	}
	var texts []string
	for _, r := range all[:min(len(all), refusalsShown)] {
		texts = append(texts, r.Text)
	}
	text := what + ": " + strings.Join(texts, "; ")
	if more := len(all) - len(texts); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return failure.New(cmp.Or(all[0].Kind, contract.ErrTypeInvalid), errors.New(text))
}
