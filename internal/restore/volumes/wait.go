package volumes

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// How long the volumes of restored claims are waited for.
const (
	// provisionFor is Velero's --resource-timeout: for a claim with data whose volume can be
	// made at once, is being made, or is there: kube-controller-manager sends 20 requests a
	// second (its --kube-api-qps), and needs minutes to bind a thousand claims to theirs.
	provisionFor = 10 * time.Minute
	// emptyFor is for one without data: all that is waited for is a label.
	emptyFor = 20 * time.Second
	// refusedFor is for one whose volume a webhook would have to admit that cannot be called.
	refusedFor = 5 * time.Minute
	// consumerFor is for a claim whose class makes volumes for pods and that no pod
	// mounts; whether one comes is not ours to say.
	consumerFor = 10 * time.Second
	// scheduleFor is for one that a pod mounts which has no node yet: a new node is
	// there in one to five minutes.
	scheduleFor = 10 * time.Minute
)

// claimWait is how long a claim's volume is waited for, and what is the matter if none
// came.
type claimWait struct {
	limit time.Duration
	next  string // what is to come
	about string
	asked bool // somebody was to make the volume, and did not
}

// waitFor is how long to wait for the volume of a claim that is not bound.
func (p *claimWatcher) waitFor(ctx context.Context, v *volume.Restore, claim *corev1.PersistentVolumeClaim) (claimWait, error) {
	if v.Provisioned() && p.waitsForConsumer(claim) && claim.Annotations["volume.kubernetes.io/selected-node"] == "" {
		pod, err := p.pods.podFor(ctx, v.Target, v.Claim)
		if err != nil || pod == "" {
			return claimWait{limit: consumerFor, next: "a pod that mounts it", about: "no pod that mounts it waits for a node"}, err
		}
		return claimWait{limit: scheduleFor, next: "a node for pod " + pod, about: fmt.Sprintf("pod %s, which mounts it, had no node after %s", pod, scheduleFor)}, nil
	}
	limit := emptyFor
	if v.HasData() {
		limit = provisionFor
	}
	return claimWait{limit: limit, next: "a volume", about: fmt.Sprintf("not bound after %s", limit), asked: true}, nil
}

// timeoutReason is the reason of a claim whose time is over. why is what its snapshot says.
func (w claimWait) timeoutReason(v *volume.Restore, why string) report.Reason {
	if why != "" {
		w.about += "; " + why
	}
	switch {
	case v.IsFilled() && w.asked:
		return report.New(report.VolumeNotRestored, "its volume was not provisioned: "+w.about)
	case v.IsFilled():
		w.about += "; it is filled from its snapshot when one has, and then lacks the reclaim policy and the labels of the backup"
	case v.Patch && v.Provisioned():
		w.about += "; its volume will lack the reclaim policy and the labels of the backup"
	}
	return report.New(report.ClaimPending, w.about)
}

// waitsForConsumer says that the claim's class makes volumes only for pods.
func (p *claimWatcher) waitsForConsumer(claim *corev1.PersistentVolumeClaim) bool {
	class, ok := p.classes[classOf(claim)]
	return ok && class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
}
