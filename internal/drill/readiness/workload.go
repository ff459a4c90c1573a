package readiness

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// addWorkloads counts what runs pods in a namespace: controllers, replica sets and pods that
// nobody controls. Jobs end, and are no workload that becomes ready.
func addWorkloads(ctx context.Context, client *kube.Client, namespace string, pods []corev1.Pod, told warnings, t *tally) error {
	add := func(kind string, meta metav1.ObjectMeta, why string) {
		if why != "" {
			why += whyPods(pods, told, meta)
		}
		t.add(kind+" "+meta.Namespace+"/"+meta.Name, why)
	}
	err := kube.List(ctx, client, kube.Apps("deployments", "Deployment"), namespace, "", func(d appsv1.Deployment) error {
		add("deployment", d.ObjectMeta, lacksDeployment(&d))
		return nil
	})
	if err != nil {
		return err
	}
	err = kube.List(ctx, client, kube.Apps("statefulsets", "StatefulSet"), namespace, "", func(d appsv1.StatefulSet) error {
		add("statefulset", d.ObjectMeta, lacks(d.Generation, d.Status.ObservedGeneration, replicasOf(d.Spec.Replicas), d.Status.ReadyReplicas, ""))
		return nil
	})
	if err != nil {
		return err
	}
	err = kube.List(ctx, client, kube.Apps("daemonsets", "DaemonSet"), namespace, "", func(d appsv1.DaemonSet) error {
		add("daemonset", d.ObjectMeta, lacks(d.Generation, d.Status.ObservedGeneration, d.Status.DesiredNumberScheduled, d.Status.NumberReady, ""))
		return nil
	})
	if err != nil {
		return err
	}
	err = kube.List(ctx, client, kube.Apps("replicasets", "ReplicaSet"), namespace, "", func(d appsv1.ReplicaSet) error {
		if metav1.GetControllerOf(&d) == nil {
			add("replicaset", d.ObjectMeta, lacks(d.Generation, d.Status.ObservedGeneration, replicasOf(d.Spec.Replicas), d.Status.ReadyReplicas, failedReplicas(d.Status.Conditions)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range pods {
		if p := &pods[i]; metav1.GetControllerOf(p) == nil {
			t.add("pod "+p.Namespace+"/"+p.Name, lacksPod(p, told))
		}
	}
	return nil
}

func replicasOf(wanted *int32) int32 {
	if wanted == nil {
		return 1
	}
	return *wanted
}

// lacks says why a workload is not ready, "" if it is.
func lacks(generation, observed int64, want, ready int32, failure string) string {
	switch {
	case observed < generation:
		return "its controller has not looked at it yet"
	case ready < want:
		return strings.TrimSuffix(fmt.Sprintf("%d of %d pods are ready; %s", ready, want, failure), "; ")
	}
	return ""
}

func lacksDeployment(d *appsv1.Deployment) string {
	failure := ""
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			failure = c.Message
		}
	}
	return lacks(d.Generation, d.Status.ObservedGeneration, replicasOf(d.Spec.Replicas), min(d.Status.AvailableReplicas, d.Status.UpdatedReplicas), failure)
}

func failedReplicas(conditions []appsv1.ReplicaSetCondition) string {
	for _, c := range conditions {
		if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
			return c.Message
		}
	}
	return ""
}

// lacksPod says why a pod is not ready, "" if it is or has done its work.
func lacksPod(p *corev1.Pod, told warnings) string {
	if p.Status.Phase == corev1.PodSucceeded || resource.IsPodReady(p) {
		return ""
	}
	return cmp.Or(resource.WhyPodWaits(p), told.of(p.UID), "is "+string(cmp.Or(p.Status.Phase, corev1.PodPending)))
}

// whyPods says what is the matter with the first pod of a workload that is not ready, or why it
// has none.
func whyPods(pods []corev1.Pod, told warnings, workload metav1.ObjectMeta) string {
	for i := range pods {
		if p := &pods[i]; strings.HasPrefix(p.Name, workload.Name+"-") && !resource.IsPodReady(p) {
			if why := cmp.Or(resource.WhyPodWaits(p), told.of(p.UID)); why != "" {
				return "; pod " + p.Name + ": " + why
			}
		}
	}
	if why := told.of(workload.UID); why != "" {
		return "; " + why
	}
	return ""
}
