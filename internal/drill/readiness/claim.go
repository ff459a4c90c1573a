package readiness

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// clockGrace is by how much a volume may seem to be older than its claim: times are in seconds.
const clockGrace = time.Minute

// addClaims counts the claims that pods of a namespace mount: each has to be bound to a volume
// that was made for it, and to be mounted by a pod whose containers run.
func addClaims(ctx context.Context, client *kube.Client, namespace string, pods []corev1.Pod, told warnings, t *tally) error {
	mounted := mountedClaims(pods)
	return kube.List(ctx, client, kube.Claims(), namespace, "", func(c corev1.PersistentVolumeClaim) error {
		by := mounted[c.Name]
		if len(by) == 0 {
			return nil
		}
		state, err := claimFault(ctx, client, &c, by, told)
		if state.why == "" && !state.started {
			state.why = "no pod that mounts it has started"
		}
		t.add("claim "+c.Namespace+"/"+c.Name, state.why)
		return err
	})
}

// claimState is how far a claim is.
type claimState struct {
	why     string // it has no volume of its own; "" if it has
	started bool   // a pod has that mounts it
}

func claimFault(ctx context.Context, client *kube.Client, c *corev1.PersistentVolumeClaim, by []*corev1.Pod, told warnings) (claimState, error) {
	why, err := lacksVolume(ctx, client, c)
	if cause := told.of(c.UID); c.Status.Phase != corev1.ClaimBound && cause != "" {
		why += ": " + cause
	}
	return claimState{why: why, started: slices.ContainsFunc(by, hasStarted)}, err
}

func hasStarted(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.State.Running != nil || c.State.Terminated != nil })
}

// lacksVolume says why a claim has no volume of its own, "" if it has.
func lacksVolume(ctx context.Context, client *kube.Client, c *corev1.PersistentVolumeClaim) (string, error) {
	if c.Status.Phase != corev1.ClaimBound {
		return "is not bound to a volume", nil
	}
	pv, err := kube.Read[corev1.PersistentVolume](ctx, client, kube.Volumes(), "", c.Spec.VolumeName)
	if kube.IsNotFound(err) {
		return "its volume " + c.Spec.VolumeName + " is gone", nil
	}
	if err == nil && IsForeign(&pv, c) {
		return "was bound to volume " + pv.Name + ", which was free and was not made by the drill", nil
	}
	return "", err
}

// boundByController is what Kubernetes writes on a volume that was free when a claim was bound to it:
// whoever makes a volume for a claim names the claim in it from the start.
const boundByController = "pv.kubernetes.io/bound-by-controller"

// IsForeign says that a claim of a copy was bound to somebody's volume. It may be younger than the
// claim, which a volume that is provisioned for a claim is, too.
func IsForeign(pv *corev1.PersistentVolume, c *corev1.PersistentVolumeClaim) bool {
	if pv.Labels[contract.DrillLabel] != "" {
		return false
	}
	isOlder := pv.CreationTimestamp.Before(&metav1.Time{Time: c.CreationTimestamp.Add(-clockGrace)})
	return isOlder || pv.Annotations[boundByController] != ""
}
