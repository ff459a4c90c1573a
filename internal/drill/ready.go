package drill

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// CheckReady says how far the workloads and the volumes of the copy are. It reads only.
func (s *Service) CheckReady(ctx context.Context, in contract.CheckDrillInput) (contract.DrillReady, error) {
	run, err := s.copyOf(ctx, in.Ref)
	if err != nil {
		return contract.DrillReady{}, err
	}
	return s.lookAt(ctx, run)
}

func (s *Service) lookAt(ctx context.Context, run *restore.Run) (contract.DrillReady, error) {
	var workloads, volumes tally
	for _, namespace := range targets(run) {
		pods, err := listPods(ctx, s.Kube, namespace)
		if err != nil {
			return contract.DrillReady{}, err
		}
		if err := addWorkloads(ctx, s.Kube, namespace, pods, &workloads); err != nil {
			return contract.DrillReady{}, err
		}
		if err := addClaims(ctx, s.Kube, namespace, pods, &volumes); err != nil {
			return contract.DrillReady{}, err
		}
	}
	return contract.DrillReady{Workloads: workloads.check(), Volumes: volumes.check()}, nil
}

// targets are the namespaces of a copy, sorted.
func targets(run *restore.Run) []string {
	var out []string
	for _, to := range run.Restore.Spec.NamespaceMapping {
		out = append(out, to)
	}
	slices.Sort(out)
	return out
}

// detailed bounds how many are named that are not as they should be.
const detailed = 5

// clockGrace is by how much a volume may seem to be older than its claim: times are in seconds.
const clockGrace = time.Minute

// tally counts, and keeps what is wrong with the first.
type tally struct {
	checked, good int
	wrong         []string
}

// add counts one; why is "" for one that is as it should be.
func (t *tally) add(name, why string) {
	t.checked++
	if why == "" {
		t.good++
		return
	}
	t.wrong = append(t.wrong, name+": "+why)
}

func (t *tally) check() contract.DrillCheck {
	c := contract.DrillCheck{Checked: t.checked, Good: t.good}
	slices.Sort(t.wrong)
	c.Detail = strings.Join(t.wrong[:min(len(t.wrong), detailed)], "; ")
	if more := len(t.wrong) - detailed; more > 0 {
		c.Detail += fmt.Sprintf("; and %d more", more)
	}
	return c
}

func listPods(ctx context.Context, client *kube.Client, namespace string) (pods []corev1.Pod, err error) {
	err = kube.List(ctx, client, kube.Pods(), namespace, "", func(p corev1.Pod) error {
		pods = append(pods, p)
		return nil
	})
	return pods, err
}

func appsType(name, kind string) kube.Resource {
	return kube.Resource{Group: "apps", Version: "v1", Name: name, Kind: kind, Namespaced: true}
}

// addWorkloads counts what runs pods in a namespace: controllers, replica sets and pods that
// nobody controls. Jobs end, and are no workload that becomes ready.
func addWorkloads(ctx context.Context, client *kube.Client, namespace string, pods []corev1.Pod, t *tally) error {
	add := func(kind string, meta metav1.ObjectMeta, why string) {
		if why != "" {
			why += whyPods(pods, meta.Name)
		}
		t.add(kind+" "+meta.Namespace+"/"+meta.Name, why)
	}
	err := kube.List(ctx, client, appsType("deployments", "Deployment"), namespace, "", func(d appsv1.Deployment) error {
		add("deployment", d.ObjectMeta, lacksDeployment(&d))
		return nil
	})
	if err != nil {
		return err
	}
	err = kube.List(ctx, client, appsType("statefulsets", "StatefulSet"), namespace, "", func(d appsv1.StatefulSet) error {
		add("statefulset", d.ObjectMeta, lacks(d.Generation, d.Status.ObservedGeneration, replicasOf(d.Spec.Replicas), d.Status.ReadyReplicas, ""))
		return nil
	})
	if err != nil {
		return err
	}
	err = kube.List(ctx, client, appsType("daemonsets", "DaemonSet"), namespace, "", func(d appsv1.DaemonSet) error {
		add("daemonset", d.ObjectMeta, lacks(d.Generation, d.Status.ObservedGeneration, d.Status.DesiredNumberScheduled, d.Status.NumberReady, ""))
		return nil
	})
	if err != nil {
		return err
	}
	err = kube.List(ctx, client, appsType("replicasets", "ReplicaSet"), namespace, "", func(d appsv1.ReplicaSet) error {
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
			t.add("pod "+p.Namespace+"/"+p.Name, lacksPod(p))
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
func lacksPod(p *corev1.Pod) string {
	if p.Status.Phase == corev1.PodSucceeded || isReady(p) {
		return ""
	}
	return cmp.Or(whyPod(p), "is "+string(cmp.Or(p.Status.Phase, corev1.PodPending)))
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// whyPods says what is the matter with the first pod of a workload that is not ready.
func whyPods(pods []corev1.Pod, workload string) string {
	for i := range pods {
		if p := &pods[i]; strings.HasPrefix(p.Name, workload+"-") && !isReady(p) {
			if why := whyPod(p); why != "" {
				return "; pod " + p.Name + ": " + why
			}
		}
	}
	return ""
}

// whyPod is what a pod waits for or has died of, in the words of the node or the scheduler.
func whyPod(p *corev1.Pod) string {
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		switch w, last := c.State.Waiting, c.LastTerminationState.Terminated; {
		case w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing":
			text := fmt.Sprintf("container %s: %s", c.Name, w.Reason)
			if last != nil {
				text += fmt.Sprintf(", exit code %d", last.ExitCode)
			} else if w.Message != "" {
				text += ": " + w.Message
			}
			return text
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "not scheduled: " + c.Message
		}
	}
	return ""
}

// addClaims counts the claims that pods of a namespace mount: each has to be bound to a volume
// that was made for it, and to be mounted by a pod whose containers run.
func addClaims(ctx context.Context, client *kube.Client, namespace string, pods []corev1.Pod, t *tally) error {
	mounted := map[string]bool{} // by claim: whether a pod runs that mounts it
	for i := range pods {
		for _, v := range pods[i].Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				mounted[v.PersistentVolumeClaim.ClaimName] = mounted[v.PersistentVolumeClaim.ClaimName] || hasStarted(&pods[i])
			}
		}
	}
	return kube.List(ctx, client, kube.Claims(), namespace, "", func(c corev1.PersistentVolumeClaim) error {
		runs, used := mounted[c.Name]
		if !used {
			return nil
		}
		why, err := lacksVolume(ctx, client, &c)
		if err != nil {
			return err
		}
		if why == "" && !runs {
			why = "no pod that mounts it has started"
		}
		t.add("claim "+c.Namespace+"/"+c.Name, why)
		return nil
	})
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
	if err == nil && pv.CreationTimestamp.Before(&metav1.Time{Time: c.CreationTimestamp.Add(-clockGrace)}) && pv.Labels[contract.DrillLabel] == "" {
		return "was bound to volume " + pv.Name + ", which is older than the claim and was not made by the drill", nil
	}
	return "", err
}
