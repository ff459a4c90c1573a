package readiness

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// addWorkloads counts what runs pods in a namespace: the controllers of Kubernetes, and each pod that none
// of them answers for, such as those of a custom resource, whose controller nobody else looks at. Jobs end,
// and are no workload that becomes ready.
func addWorkloads(ctx context.Context, client *kube.Client, namespace string, l *look, t *tally) error {
	c := &controllers{look: l, tally: t, seen: map[types.UID]bool{}}
	for _, add := range []func(context.Context, *kube.Client, string) error{c.addDeployments, c.addStatefulSets, c.addDaemonSets, c.addReplicaSets, c.addReplicationControllers} {
		if err := add(ctx, client, namespace); err != nil {
			return err
		}
	}
	for i := range l.pods {
		if p := &l.pods[i]; !c.answersFor(p) {
			t.add("pod "+p.Namespace+"/"+p.Name, l.lacksPod(p))
		}
	}
	return nil
}

// controllers are those of a namespace that say themselves how many of their pods are ready.
type controllers struct {
	*look
	tally *tally
	seen  map[types.UID]bool
}

// add counts one; why is "" for one that is ready.
func (c *controllers) add(kind string, meta metav1.ObjectMeta, why string) {
	if why != "" {
		why += c.whyPods(meta)
	} else {
		why = c.unsettledPods(meta)
	}
	c.seen[meta.UID] = true
	c.tally.add(kind+" "+meta.Namespace+"/"+meta.Name, why)
}

// answersFor says that a pod is counted with its controller, or belongs to a Job.
func (c *controllers) answersFor(p *corev1.Pod) bool {
	owner := metav1.GetControllerOf(p)
	return owner != nil && (c.seen[owner.UID] || IsJob(owner.APIVersion, owner.Kind))
}

// IsJob reports whether a controller ends with its pods, so that they never become ready.
func IsJob(apiVersion, kind string) bool {
	return kind == "Job" && strings.HasPrefix(apiVersion, "batch/")
}

func (c *controllers) addDeployments(ctx context.Context, client *kube.Client, namespace string) error {
	return kube.List(ctx, client, kube.Apps("deployments", "Deployment"), namespace, "", func(d appsv1.Deployment) error {
		c.add("deployment", d.ObjectMeta, lacksDeployment(&d))
		return nil
	})
}

func (c *controllers) addStatefulSets(ctx context.Context, client *kube.Client, namespace string) error {
	return kube.List(ctx, client, kube.Apps("statefulsets", "StatefulSet"), namespace, "", func(d appsv1.StatefulSet) error {
		c.add("statefulset", d.ObjectMeta, lacks(d.Generation, d.Status.ObservedGeneration, replicasOf(d.Spec.Replicas), d.Status.ReadyReplicas, ""))
		return nil
	})
}

func (c *controllers) addDaemonSets(ctx context.Context, client *kube.Client, namespace string) error {
	return kube.List(ctx, client, kube.Apps("daemonsets", "DaemonSet"), namespace, "", func(d appsv1.DaemonSet) error {
		c.add("daemonset", d.ObjectMeta, lacks(d.Generation, d.Status.ObservedGeneration, d.Status.DesiredNumberScheduled, d.Status.NumberReady, ""))
		return nil
	})
}

// addReplicaSets leaves those to their Deployment that have one, and counts those of any other controller.
func (c *controllers) addReplicaSets(ctx context.Context, client *kube.Client, namespace string) error {
	return kube.List(ctx, client, kube.Apps("replicasets", "ReplicaSet"), namespace, "", func(d appsv1.ReplicaSet) error {
		if owner := metav1.GetControllerOf(&d); owner != nil && c.seen[owner.UID] {
			c.seen[d.UID] = true
			return nil
		}
		c.add("replicaset", d.ObjectMeta, lacks(d.Generation, d.Status.ObservedGeneration, replicasOf(d.Spec.Replicas), d.Status.ReadyReplicas, failedReplicas(d.Status.Conditions)))
		return nil
	})
}

func (c *controllers) addReplicationControllers(ctx context.Context, client *kube.Client, namespace string) error {
	return kube.List(ctx, client, kube.ReplicationControllers(), namespace, "", func(d corev1.ReplicationController) error {
		failure := ""
		for _, condition := range d.Status.Conditions {
			if condition.Type == corev1.ReplicationControllerReplicaFailure && condition.Status == corev1.ConditionTrue {
				failure = condition.Message
			}
		}
		c.add("replicationcontroller", d.ObjectMeta, lacks(d.Generation, d.Status.ObservedGeneration, replicasOf(d.Spec.Replicas), d.Status.ReadyReplicas, failure))
		return nil
	})
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
func (l *look) lacksPod(p *corev1.Pod) string {
	if p.Status.Phase == corev1.PodSucceeded {
		return ""
	}
	if resource.IsPodReady(p) {
		return unsettled(p, l.now)
	}
	return cmp.Or(resource.WhyPodWaits(p), l.told.of(p.UID), "is "+string(cmp.Or(p.Status.Phase, corev1.PodPending)))
}

// whyPods says what is the matter with the first pod of a workload that is not ready, or why it
// has none.
func (l *look) whyPods(workload metav1.ObjectMeta) string {
	for i := range l.pods {
		if p := &l.pods[i]; strings.HasPrefix(p.Name, workload.Name+"-") && !resource.IsPodReady(p) {
			if why := cmp.Or(resource.WhyPodWaits(p), l.told.of(p.UID)); why != "" {
				return "; pod " + p.Name + ": " + why
			}
		}
	}
	if why := l.told.of(workload.UID); why != "" {
		return "; " + why
	}
	return ""
}
