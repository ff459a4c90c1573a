package readiness

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// metaOf names an object of the copy that a controller has made; "" is none.
func metaOf(name, apiVersion, kind, controller string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: "copy", Name: name, UID: types.UID("uid-" + name)}
	if kind != "" {
		yes := true
		m.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: controller, UID: types.UID("uid-" + controller), Controller: &yes}}
	}
	return m
}

func podOf(meta metav1.ObjectMeta, ready corev1.ConditionStatus) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta,
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
	}
}

// TestWorkloads: whatever runs pods in the copy is judged: by its own word where it is one of Kubernetes'
// controllers, and else by its pods.
func TestWorkloads(t *testing.T) {
	one := int32(1)
	deployment := &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: metaOf("web", "", "", ""),
		Status: appsv1.DeploymentStatus{AvailableReplicas: 1, UpdatedReplicas: 1},
	}
	setOf := func(meta metav1.ObjectMeta, ready int32) *appsv1.ReplicaSet {
		return &appsv1.ReplicaSet{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"}, ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Replicas: &one}, Status: appsv1.ReplicaSetStatus{ReadyReplicas: ready}}
	}
	crashing := podOf(metaOf("web-1-a", "apps/v1", "ReplicaSet", "web-1"), corev1.ConditionTrue)
	crashing.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}}
	controller := &corev1.ReplicationController{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ReplicationController"}, ObjectMeta: metaOf("old", "apps.openshift.io/v1", "DeploymentConfig", "config"),
	}
	for name, tc := range map[string]struct {
		objects       []runtime.Object
		checked, good int
		detail        string
	}{
		"nothing":                   {nil, 0, 0, ""},
		"deployment":                {[]runtime.Object{deployment, setOf(metaOf("web-1", "apps/v1", "Deployment", "web"), 1), podOf(metaOf("web-1-a", "apps/v1", "ReplicaSet", "web-1"), corev1.ConditionTrue)}, 1, 1, ""},
		"deployment that crashes":   {[]runtime.Object{deployment, setOf(metaOf("web-1", "apps/v1", "Deployment", "web"), 1), crashing}, 1, 0, "deployment copy/web: pod web-1-a: container app has run for"},
		"bare pod that crashes":     {[]runtime.Object{crashing}, 1, 0, "pod copy/web-1-a: container app has run for"},
		"pod of a custom resource":  {[]runtime.Object{podOf(metaOf("db-1", "postgresql.cnpg.io/v1", "Cluster", "db"), corev1.ConditionFalse)}, 1, 0, "pod copy/db-1: is Running"},
		"set of a custom resource":  {[]runtime.Object{setOf(metaOf("ro-1", "argoproj.io/v1alpha1", "Rollout", "ro"), 0), podOf(metaOf("ro-1-a", "apps/v1", "ReplicaSet", "ro-1"), corev1.ConditionFalse)}, 1, 0, "replicaset copy/ro-1: 0 of 1 pods are ready"},
		"replication controller":    {[]runtime.Object{controller, podOf(metaOf("old-a", "v1", "ReplicationController", "old"), corev1.ConditionFalse)}, 1, 0, "replicationcontroller copy/old: 0 of 1 pods are ready"},
		"pod of a job":              {[]runtime.Object{podOf(metaOf("job-a", "batch/v1", "Job", "job"), corev1.ConditionFalse)}, 0, 0, ""},
		"pod of a Job of Volcano's": {[]runtime.Object{podOf(metaOf("job-a", "batch.volcano.sh/v1alpha1", "Job", "job"), corev1.ConditionFalse)}, 1, 0, "pod copy/job-a"},
		"bare pod":                  {[]runtime.Object{podOf(metaOf("bare", "", "", ""), corev1.ConditionTrue)}, 1, 1, ""},
		"pod of a set that is gone": {[]runtime.Object{podOf(metaOf("gone-a", "apps/v1", "ReplicaSet", "gone"), corev1.ConditionTrue)}, 1, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var added []kubetest.Type
			for _, r := range []kube.Resource{kube.Events(), kube.Apps("daemonsets", "DaemonSet"), kube.Apps("replicasets", "ReplicaSet"), kube.ReplicationControllers(), {Version: "v1", Name: "resourcequotas", Kind: "ResourceQuota", Namespaced: true}} {
				added = append(added, kubetest.Type{Resource: r})
			}
			api := kubetest.Start(t, kubetest.WithTypes(added...))
			api.PutNamespaces("copy")
			for _, o := range tc.objects {
				api.Put(o)
			}
			got, err := Look(t.Context(), api.Client(), []string{"copy"}, time.Now())
			if w := got.Workloads; err != nil || w.Checked != tc.checked || w.Good != tc.good || !strings.Contains(w.Detail, tc.detail) {
				t.Errorf("%+v, %v; want %d of %d: %s", w, err, tc.good, tc.checked, tc.detail)
			}
		})
	}
}

// TestUnsettled: a pod whose containers end again and again is Ready at each start, for Kubernetes.
func TestUnsettled(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		runs     time.Duration
		restarts int32
		probe    bool
		want     string
	}{
		"just started":               {2 * time.Second, 0, false, "container app has run for 2s, 10s are wanted of one without a readiness probe"},
		"by the clock of the node":   {-time.Second, 0, false, "has run for 0s"},
		"runs":                       {10 * time.Second, 0, false, ""},
		"ready by its probe":         {time.Second, 0, true, ""},
		"started again":              {29 * time.Second, 3, false, "it has ended 3 times before, last with exit code 1"},
		"started again, with probe":  {2 * time.Second, 1, true, "30s are wanted; it has ended 1 times before"},
		"started again, and runs on": {30 * time.Second, 1, true, ""},
	} {
		p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}}
		if tc.probe {
			p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{}
		}
		c := corev1.ContainerStatus{Name: "app", RestartCount: tc.restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(now.Add(-tc.runs))}}}
		if tc.restarts > 0 {
			c.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1}
		}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{c}
		if got := unsettled(p, now); !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
