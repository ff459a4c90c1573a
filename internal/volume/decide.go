package volume

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Reasons why a volume is skipped, for volumeinfo and for people.
const (
	skippedByPolicy   = "a resource policy skips it"
	skippedBySpec     = "snapshots of volumes are turned off (snapshotVolumes: false)"
	noFiles           = "file-level backup was asked for, which is not available yet; volumes can be snapshotted"
	noCustom          = "a resource policy leaves it to a custom action, and there is none"
	noSnapshots       = "the cluster serves no VolumeSnapshots and no VolumeSnapshotLocation is configured for it"
	noDriverSnapshots = "its driver takes no snapshots: back its files up by other means (AWS Backup does for EFS and FSx), and skip such volumes by a resource policy"
	nodeLocal         = "it is a disk of its node (local-ebs), of which the driver takes no snapshots; skip such volumes by a resource policy"
	noClaim           = "no claim of the backup is bound to it, which a VolumeSnapshot needs, and no VolumeSnapshotLocation is configured for it"
)

// decideMethod finds the method of a volume (docs/VELERO.md 6.1). pv is nil where the claim is
// not bound to a volume, claim where the volume's claim is not in the backup.
func (p *planner) decideMethod(v *Volume, pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) {
	snapshots := p.in.Spec.SnapshotVolumes == nil || *p.in.Spec.SnapshotVolumes
	matched := p.in.Policies.match(subjectOf(pv, claim))
	pod := ""
	if claim != nil {
		pod = p.fileLevel(claim)
	}
	switch {
	case matched == actionSkip:
		v.SkipReason = skippedByPolicy
	case matched == actionFiles:
		p.skipVolume(v, report.VolumeSkipped, report.Warning, "a resource policy says fs-backup: "+noFiles)
	case matched == actionCustom:
		p.skipVolume(v, report.VolumeSkipped, report.Warning, noCustom)
	case matched == actionNone && !snapshots && pod == "":
		v.SkipReason = skippedBySpec
	case pv == nil || !isBound(claim):
		p.skipVolume(v, report.ClaimUnbound, unboundSeverity(v), unboundText(v, claim))
	case matched == actionNone && pod != "":
		p.skipVolume(v, report.VolumeSkipped, report.Warning, "pod "+pod+": "+noFiles)
	default:
		p.chooseMethod(v, claim, matched == actionSnapshot)
	}
}

// isBound holds for volumes without a claim as well.
func isBound(claim *corev1.PersistentVolumeClaim) bool {
	return claim == nil || claim.Status.Phase == corev1.ClaimBound || claim.Status.Phase == ""
}

// unboundSeverity: a claim that never had a volume has no data to lose.
func unboundSeverity(v *Volume) report.Severity {
	if v.PV == "" {
		return report.Warning
	}
	return report.Error
}

func unboundText(v *Volume, claim *corev1.PersistentVolumeClaim) string {
	switch {
	case claim == nil || isBound(claim) && v.PV != "":
		return fmt.Sprintf("its volume %s is not in the cluster, or is bound to another claim", v.PV)
	case v.PV != "":
		return fmt.Sprintf("the claim is %s, not bound to volume %s", claim.Status.Phase, v.PV)
	case claim.Status.Phase == "":
		return "the claim is not bound to a volume"
	}
	return fmt.Sprintf("the claim is %s and has no volume", claim.Status.Phase)
}

// chooseMethod chooses between the two kinds of snapshots. asked says that a policy wants
// one, so that having none is an error.
func (p *planner) chooseMethod(v *Volume, claim *corev1.PersistentVolumeClaim, asked bool) {
	severity := report.Warning
	if asked {
		severity = report.Error
	}
	native := p.in.Native && v.VolumeID != "" && p.isSelected(pvResource, "", v.PV, v.PVLabels)
	named := len(p.in.Spec.VolumeSnapshotLocations) > 0
	switch {
	case p.isNodeLocal(v):
		p.skipVolume(v, report.VolumeSkipped, severity, nodeLocal)
	case hasNoSnapshots(v.Driver) && len(p.classesOf(v.Driver)) == 0:
		p.skipVolume(v, report.VolumeSkipped, severity, noDriverSnapshots)
	case native && (named || v.Driver == "" || claim == nil || !p.prefersCSI(v.Driver, claim)):
		v.Method = MethodNative
	case v.Driver != "" && claim == nil:
		p.skipVolume(v, report.VolumeSkipped, severity, noClaim)
	case v.Driver != "" && p.in.CSI:
		p.chooseCSI(v, claim)
	case v.Driver != "" || v.VolumeID != "":
		p.skipVolume(v, report.VolumeSkipped, severity, noSnapshots)
	default:
		p.skipVolume(v, report.VolumeSkipped, severity, "volumes of its type cannot be snapshotted: "+p.sourceText(v))
	}
}

// hasNoSnapshots tells the drivers for which no VolumeSnapshotClass can be made: their code
// lacks the capability CREATE_DELETE_SNAPSHOT.
func hasNoSnapshots(driver string) bool {
	switch driver {
	case "efs.csi.aws.com", "s3.csi.aws.com", "fsx.csi.aws.com":
		return true
	}
	return false
}

// isNodeLocal says that EBS's driver mounts a disk that the node brought with it
// (kubernetes-sigs/aws-ebs-csi-driver, docs/node-local-volumes.md).
func (p *planner) isNodeLocal(v *Volume) bool {
	pv := p.pvs[v.PV]
	return pv != nil && IsEBSDriver(v.Driver) && strings.HasPrefix(pv.Spec.CSI.VolumeHandle, "local-ebs://")
}

// prefersCSI says whether a volume that could be native as well is kept by the CSI method:
// there is a class for it, or somebody names one.
func (p *planner) prefersCSI(driver string, claim *corev1.PersistentVolumeClaim) bool {
	return p.in.CSI && (len(p.classesOf(driver)) > 0 ||
		claim.Annotations[velerov1.VolumeSnapshotClassDriverPVCAnnotation] != "" ||
		p.in.BackupAnnotations[backupClassKey(driver)] != "")
}

// sourceText names the source of a volume that no method keeps.
func (p *planner) sourceText(v *Volume) string {
	return cmp.Or(sourceType(p.pvs[v.PV].Spec.PersistentVolumeSource), "unknown")
}

func (p *planner) chooseCSI(v *Volume, claim *corev1.PersistentVolumeClaim) {
	class, err := p.chooseClass(v.Driver, claim)
	if err != nil {
		p.skipVolume(v, report.SnapshotClass, report.Error, err.text)
		if err.spec != nil && !slices.Contains(p.spec, *err.spec) {
			p.spec = append(p.spec, *err.spec)
		}
		return
	}
	v.Method, v.Class = MethodCSI, class
	v.Snapshot = snapshotName(p.in.BackupUID, v.Namespace, v.Claim, v.ClaimUID)
}

// skipVolume records why a volume that the user did not leave out is not in the backup.
func (p *planner) skipVolume(v *Volume, code report.Code, severity report.Severity, text string) {
	v.SkipReason = text
	r := report.New(code, text).As(severity)
	if v.PV != "" {
		r.Message = fmt.Sprintf("volume %s: %s", v.PV, text)
	}
	if v.Claim == "" {
		p.addProblem(r.At(pvResource, "", v.PV))
		return
	}
	p.addProblem(r.At(claimResource, v.Namespace, v.Claim))
}

// addNotes warns of fields that ask for more than snapshots give.
func (p *planner) addNotes() {
	move := p.in.Spec.SnapshotMoveData
	if move != nil && *move && p.plan.Count(MethodCSI)+p.plan.Count(MethodNative) > 0 {
		p.addProblem(report.New(report.FieldIgnored, "spec.snapshotMoveData: data of snapshots is not moved to the bucket; the snapshots are kept where they are"))
	}
	groups := map[string]int{}
	for i := range p.plan.Volumes {
		if v := &p.plan.Volumes[i]; v.Group != "" && v.Method == MethodCSI {
			if groups[v.Group]++; groups[v.Group] == 2 {
				p.addProblem(report.New(report.FieldIgnored, fmt.Sprintf("volume group %s: its VolumeSnapshots are taken together but not at one moment; freeze its pods by a hook if they have to be", v.Group)))
			}
		}
	}
}
