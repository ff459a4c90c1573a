package volumes

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// waitingPods knows which pods wait for a node, as of one look: those that the restore
// made and those that controllers made since.
type waitingPods struct {
	kube  *kube.Client
	mu    sync.Mutex
	found map[string]map[string]string // by namespace: claim to pod
}

// podFor is a pod that mounts a claim and has no node yet, or "".
func (w *waitingPods) podFor(ctx context.Context, namespace, claim string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.found == nil {
		w.found = map[string]map[string]string{}
	}
	if w.found[namespace] == nil {
		claims := map[string]string{}
		err := kube.List(ctx, w.kube, kube.Pods(), namespace, "", func(pod corev1.Pod) error {
			for _, name := range awaitedBy(&pod) {
				claims[name] = pod.Name
			}
			return nil
		})
		if err != nil {
			return "", fmt.Errorf("list pods of namespace %s: %w", namespace, err)
		}
		w.found[namespace] = claims
	}
	return w.found[namespace][claim], nil
}

// awaitedBy are the claims whose volumes a pod has to wait for: none once it has a
// node, has ended or is being deleted.
func awaitedBy(pod *corev1.Pod) []string {
	if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil || volume.HasEnded(pod) {
		return nil
	}
	return volume.ClaimsOf(pod)
}
