package drill

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// TestStopNamespace: pods are deleted once no more are admitted, those that come in the last moment, too,
// whoever makes them; Jobs make no more, pods with an end of their own may, and another namespace keeps its own.
func TestStopNamespace(t *testing.T) {
	t.Parallel()
	api := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: quotas()}, kubetest.Type{Resource: kube.Jobs()}))
	const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"db-1","namespace":"copy"},"spec":{"containers":[{"name":"c","image":"i"}]}}`
	api.PutJSON(pod,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"db-1","namespace":"shop"},"spec":{"containers":[{"name":"c","image":"i"}]}}`,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"probe","namespace":"copy","labels":{"lifeboat-backup.github.io/drill-part":"probe"}},"spec":{"containers":[{"name":"c","image":"i"}]}}`,
		`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"load","namespace":"copy"},"spec":{}}`,
	)
	quota := kubetest.On("get", quotas()).In("copy")
	api.After(quota.Times(2), func(kubetest.Request, map[string]any) {
		if api.Count(quota) < 2 {
			return // its controller counts first
		}
		if pods := len(kubetest.All[corev1.Pod](api, kube.Pods())); pods != 3 {
			t.Errorf("%d pods while more of them could be made", pods)
		}
		kubetest.Modify(api, quotas(), "copy", controlPod, func(q *corev1.ResourceQuota) { q.Status.Hard = q.Spec.Hard })
	})
	api.After(kubetest.On("delete", kube.Pods()).In("copy").Times(1), func(kubetest.Request, map[string]any) { api.PutJSON(pod) })
	for range 2 { // it may repeat
		if err := (&Service{Kube: api.Client()}).stopNamespace(t.Context(), "copy"); err != nil {
			t.Fatal(err)
		}
	}
	q, _ := kubetest.Get[corev1.ResourceQuota](api, quotas(), "copy", controlPod)
	if room, named := q.Spec.Hard[corev1.ResourcePods]; !named || !room.IsZero() || len(q.Spec.Scopes) != 1 || q.Spec.Scopes[0] != corev1.ResourceQuotaScopeNotTerminating {
		t.Errorf("%+v", q.Spec)
	}
	if job, _ := kubetest.Get[batchv1.Job](api, kube.Jobs(), "copy", "load"); job.Spec.Suspend == nil || !*job.Spec.Suspend {
		t.Error("the Job goes on")
	}
	var left []string
	for _, p := range kubetest.All[corev1.Pod](api, kube.Pods()) {
		left = append(left, p.Namespace+"/"+p.Name)
	}
	if len(left) != 2 {
		t.Errorf("left are %q", left)
	}
}
