package volumes

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// liveVolumes is what the target cluster has.
type liveVolumes struct {
	claims  map[string]corev1.PersistentVolumeClaim // by "namespace/name"
	volumes map[string]corev1.PersistentVolume
	read    map[string]bool // namespaces whose claims were read
}

// terminatingTimeout is how long volumes that are about to go are waited for, so that the
// restored ones can have their names: a deleted namespace is gone before its volumes are, whose
// disks are detached first, which takes up to 6 minutes (FAQ of the EBS CSI driver).
const terminatingTimeout = 6 * time.Minute

// dryTerminatingTimeout is that of a dry run, which needs no names.
const dryTerminatingTimeout = 5 * time.Second

// inspectCluster reads the cluster and leaves alone what is there already (docs/VELERO.md 7.4, 8.2).
func (p *planner) inspectCluster(ctx context.Context) error {
	if err := p.readLive(ctx); err != nil {
		return err
	}
	if err := p.awaitTerminating(ctx); err != nil {
		return err
	}
	for i := range p.plan.Volumes {
		if v := &p.plan.Volumes[i]; v.Selected {
			p.leaveExisting(v)
			p.tellOfData(v)
		}
	}
	return nil
}

func (p *planner) readLive(ctx context.Context) (err error) {
	p.live = &liveVolumes{claims: map[string]corev1.PersistentVolumeClaim{}, read: map[string]bool{}}
	for _, v := range p.plan.Volumes {
		if !v.Selected || v.Target == "" || p.live.read[v.Target] {
			continue
		}
		p.live.read[v.Target] = true
		err := kube.List(ctx, p.r.Kube, kube.Claims(), v.Target, "", func(c corev1.PersistentVolumeClaim) error {
			p.live.claims[resource.ObjectName(c.Namespace, c.Name)] = c
			return nil
		})
		if err != nil {
			return fmt.Errorf("list claims of namespace %s: %w", v.Target, err)
		}
	}
	p.live.volumes, err = kube.ListMap[corev1.PersistentVolume](ctx, p.r.Kube, kube.Volumes(), "", "")
	if err != nil {
		return fmt.Errorf("list persistent volumes: %w", err)
	}
	return nil
}

// awaitTerminating looks again until no volume of the plan is on its way out.
func (p *planner) awaitTerminating(ctx context.Context) (err error) {
	patience := terminatingTimeout
	if p.s.Restore.DryRun {
		patience = dryTerminatingTimeout
	}
	defer p.s.TellWait("")
	pause := time.Second
	for end := time.Now().Add(patience); p.hasTerminating() && time.Now().Before(end); pause = min(pause*5/4, 10*time.Second) {
		p.s.TellWait("volumes that are being deleted")
		if err := poll.Wait(ctx, pause); err != nil {
			return err
		}
		if err = p.readLive(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hasTerminating says that a volume of the plan is in the place of one that is to be
// restored, and on its way out.
func (p *planner) hasTerminating() bool {
	for _, v := range p.plan.Volumes {
		if pv, there := p.live.volumes[v.PV]; there && v.Selected && v.Bind != "" && p.live.isTerminating(&pv) {
			return true
		}
	}
	return false
}

// isTerminating says that a volume will be gone soon: it is being deleted, or will be because
// its claim is.
func (l *liveVolumes) isTerminating(pv *corev1.PersistentVolume) bool {
	ref := pv.Spec.ClaimRef
	switch {
	case pv.DeletionTimestamp != nil:
		return true
	case ref == nil || pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete:
		return false
	case pv.Status.Phase == corev1.VolumeReleased:
		return true
	}
	claim, there := l.claims[resource.ObjectName(ref.Namespace, ref.Name)]
	return l.read[ref.Namespace] && (!there || claim.DeletionTimestamp != nil) && ref.UID != ""
}

// leaveExisting takes out of the plan what the cluster has.
func (p *planner) leaveExisting(v *volume.Restore) {
	live, there := p.live.claims[resource.ObjectName(v.Target, v.Claim)]
	if v.Claim != "" && there && live.DeletionTimestamp == nil {
		if v.HasData() {
			p.Remark(v, report.New(report.VolumeLeft, "the claim is in the cluster already; its data was left as it is"))
		}
		v.Disposition, v.Bind = volume.Leave, ""
		return
	}
	switch {
	case p.makesDisk(v):
		p.chooseName(v)
	case v.Disposition == volume.Keep:
		p.checkKept(v)
	}
}

// checkKept tells of a claim whose volume is restored as it was and serves another one: it
// keeps waiting for that volume, as with Velero. A volume in use is not touched.
func (p *planner) checkKept(v *volume.Restore) {
	pv, there := p.live.volumes[v.PV]
	if !there || v.Claim == "" || p.live.wouldBind(&pv, v) {
		return
	}
	text := "the volume " + v.PV + " that it is bound to is on its way out"
	if ref := pv.Spec.ClaimRef; ref != nil && pv.DeletionTimestamp == nil {
		text = fmt.Sprintf("the volume %s that it is bound to is in the cluster and is kept for claim %s", v.PV, resource.ObjectName(ref.Namespace, ref.Name))
		if pv.Status.Phase == corev1.VolumeReleased {
			text += ", which is gone"
		} else {
			v.Disposition = volume.Leave
		}
	}
	why := report.New(report.ClaimPending, text+": the claim stays pending")
	why.Next = "delete the claim, or free the volume for it: delete the claim that has it, then remove uid and resourceVersion of the volume's spec.claimRef and name this claim there"
	p.Remark(v, why)
}

// chooseName finds the name that a volume with a new disk is restored by, or leaves it out where
// its claim would bind to a volume that is there.
func (p *planner) chooseName(v *volume.Restore) {
	v.Disk = &volume.DiskPlan{Name: v.PV}
	if copied := p.s.Restore.Isolation; copied != nil {
		v.Disk.InitializationRate = copied.InitializationRate
	}
	pv, taken := p.live.volumes[v.PV]
	switch {
	case !taken:
	case p.live.wouldBind(&pv, v):
		v.Disposition, v.Disk = volume.Leave, nil
		p.Remark(v, report.New(report.VolumeLeft, fmt.Sprintf("volume %s is in the cluster already; it was left as it is", v.PV)))
	default:
		v.Disk.Name = cloneName(p.s.UID, v.PV)
		v.Bind = v.Disk.Name
		if v.Target != v.Namespace {
			return // nothing to remark on: its first name serves the source namespace
		}
		p.Remark(v, report.New(report.VolumeMoved, fmt.Sprintf("the cluster has a volume %s that serves another claim; this one is restored as %s", v.PV, v.Disk.Name)))
	}
}

// wouldBind says that the claim of v would bind to a live volume.
func (l *liveVolumes) wouldBind(pv *corev1.PersistentVolume, v *volume.Restore) bool {
	ref := pv.Spec.ClaimRef
	switch {
	case pv.DeletionTimestamp != nil || pv.Status.Phase == corev1.VolumeReleased || pv.Status.Phase == corev1.VolumeFailed:
		return false
	case ref == nil || v.Claim == "":
		return true
	}
	return ref.UID == "" && ref.Namespace == v.Target && ref.Name == v.Claim
}

// cloneName is the name that Velero gives to a restored volume whose own name is
// taken. It derives from the restore's uid: a repeat has the same one.
func cloneName(uid, pv string) string {
	sum := sha256.Sum256([]byte(uid + "/" + pv))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // a UUID of version 8, RFC 9562
	return fmt.Sprintf("velero-clone-%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
