package readiness

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Look says how far the workloads of namespaces are, and the volumes that they mount. It reads
// only. now tells how long containers have been running.
func Look(ctx context.Context, client *kube.Client, namespaces []string, now time.Time) (contract.DrillReady, error) {
	var workloads, volumes tally
	running := 0
	for _, namespace := range namespaces {
		if err := addNamespace(ctx, client, namespace, &workloads); err != nil {
			return contract.DrillReady{}, err
		}
		pods, err := Pods(ctx, client, namespace)
		if err != nil {
			return contract.DrillReady{}, err
		}
		told, err := readWarnings(ctx, client, namespace)
		if err != nil {
			return contract.DrillReady{}, err
		}
		before := workloads.checked
		if err := addWorkloads(ctx, client, namespace, &look{pods: pods, told: told, now: now}, &workloads); err != nil {
			return contract.DrillReady{}, err
		}
		running += workloads.checked - before
		if err := addQuotas(ctx, client, namespace, &workloads); err != nil {
			return contract.DrillReady{}, err
		}
		if err := addClaims(ctx, client, namespace, pods, told, &volumes); err != nil {
			return contract.DrillReady{}, err
		}
	}
	return contract.DrillReady{Workloads: workloads.check(), Volumes: volumes.check(), Running: running}, nil
}

// addNamespace counts a namespace that somebody has taken away: what is not there any more is not
// ready.
func addNamespace(ctx context.Context, client *kube.Client, name string, t *tally) error {
	ns, err := kube.Read[corev1.Namespace](ctx, client, kube.Namespaces(), "", name)
	switch {
	case kube.IsNotFound(err):
		t.add("namespace "+name, "is gone: somebody has deleted the copy")
		return nil
	case err == nil && ns.DeletionTimestamp != nil:
		t.add("namespace "+name, "is being deleted by somebody")
	}
	return err
}

// Pods are those of the copy in a namespace, without those that the drill has made itself.
func Pods(ctx context.Context, client *kube.Client, namespace string) (pods []corev1.Pod, err error) {
	err = kube.List(ctx, client, kube.Pods(), namespace, "!"+contract.DrillPartLabel, func(p corev1.Pod) error {
		pods = append(pods, p)
		return nil
	})
	return pods, err
}
