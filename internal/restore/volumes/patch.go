package volumes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// patchBound gives a claim's provisioned volume what the backup knows of the old one.
// Kubernetes binds a claim to any free volume that fits, also one that is to be filled from
// a snapshot: such a volume holds other data, and is left as it is.
func (p *claimWatcher) patchBound(ctx context.Context, v *volume.Restore, claim *corev1.PersistentVolumeClaim) (restore.ClaimEnd, bool, error) {
	name := claim.Spec.VolumeName
	pv, err := kube.Read[corev1.PersistentVolume](ctx, p.r.Kube, kube.Volumes(), "", name)
	if kube.IsNotFound(err) {
		return restore.ClaimEnd{}, false, nil // it is on its way
	}
	if err != nil {
		return restore.ClaimEnd{}, false, fmt.Errorf("look at volume %s: %w", name, err)
	}
	if v.Provisioned() && !wasMadeFor(&pv, claim) {
		if !v.IsFilled() {
			return restore.ClaimEnd{}, true, nil
		}
		return restore.EndOf(v, report.New(report.VolumeNotRestored, fmt.Sprintf(
			"Kubernetes has bound it to volume %s, which was free and fits, and which holds other data: no volume was made of the snapshot. The volume was not changed", name))), true, nil
	}
	end := restore.ClaimEnd{PV: name}
	patch := diffFromOld(v, &pv)
	if patch == nil || !v.Provisioned() || p.s.Restore.Isolation != nil { // a copy goes with its volumes
		return end, true, nil
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return end, false, err
	}
	_, err = p.r.Kube.Patch(ctx, kube.Volumes(), "", name, kube.PatchMerge, body, kube.PatchOptions{FieldManager: resource.FieldManager})
	if down := p.r.Outage(ctx, err); down != nil {
		return end, false, down
	}
	switch {
	case err == nil:
	case kube.UnansweredWebhook(err) != "" && p.waited < refusedFor:
		return end, false, nil
	default:
		end.Reasons = restore.EndOf(v, report.New(report.PatchFailed, fmt.Sprintf("volume %s: %v", name, err))).Reasons
	}
	return end, true, nil
}

// annotationBoundByController is on a volume that Kubernetes chose for a claim. One that was
// made for a claim names it from the start.
const annotationBoundByController = "pv.kubernetes.io/bound-by-controller"

// wasMadeFor says that a volume was made for the claim that it is bound to. One that is older
// than the claim was set aside for it by somebody.
func wasMadeFor(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	return pv.Annotations[annotationBoundByController] == "" && !pv.CreationTimestamp.Before(&claim.CreationTimestamp)
}

// diffFromOld is what a provisioned volume lacks of the old one, nil for nothing.
func diffFromOld(v *volume.Restore, pv *corev1.PersistentVolume) map[string]any {
	out := map[string]any{}
	if v.Reclaim != "" && v.Reclaim != string(pv.Spec.PersistentVolumeReclaimPolicy) {
		out["spec"] = map[string]any{"persistentVolumeReclaimPolicy": v.Reclaim}
	}
	labels := map[string]any{}
	for key, value := range portableLabels(v) {
		if pv.Labels[key] != value {
			labels[key] = value
		}
	}
	if len(labels) > 0 {
		out["metadata"] = map[string]any{"labels": labels}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// portableLabels are the old volume's labels without those that tell where it was: the new
// one may be elsewhere.
func portableLabels(v *volume.Restore) map[string]string {
	kept := maps.Clone(v.Labels)
	maps.DeleteFunc(kept, func(key, _ string) bool {
		domain, _, _ := strings.Cut(key, "/")
		return strings.HasPrefix(domain, "topology.") || domain == "failure-domain.beta.kubernetes.io" || strings.HasPrefix(key, "velero.io/")
	})
	return kept
}
