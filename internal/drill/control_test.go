package drill

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// TestStopNamespace: whatever Kubernetes itself runs pods for is stopped, once, and in no other namespace.
func TestStopNamespace(t *testing.T) {
	var types []kubetest.Type
	for _, s := range stoppable() {
		types = append(types, kubetest.Type{Resource: s.resource})
	}
	api := kubetest.Start(t, kubetest.WithTypes(types...))
	api.PutJSON(
		`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"copy"},"spec":{"replicas":2}}`,
		`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},"spec":{"replicas":2}}`,
		`{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db","namespace":"copy"},"spec":{"replicas":2}}`,
		`{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"alone","namespace":"copy"},"spec":{"replicas":2}}`,
		`{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"web-1","namespace":"copy","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"u","controller":true}]},"spec":{"replicas":2}}`,
		`{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"old","namespace":"copy"},"spec":{"replicas":2}}`,
		`{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"each","namespace":"copy"},"spec":{"template":{"spec":{"nodeSelector":{"a":"b"}}}}}`,
		`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"load","namespace":"copy"},"spec":{}}`,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"each-1","namespace":"copy"},"spec":{"containers":[{"name":"c","image":"i"}]}}`,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"each-1","namespace":"shop"},"spec":{"containers":[{"name":"c","image":"i"}]}}`,
	)
	s := &Service{Kube: api.Client()}
	if err := s.stopNamespace(t.Context(), "copy"); err != nil {
		t.Fatal(err)
	}
	spec := func(i int, namespace, name string) map[string]any {
		o, _ := kubetest.Get[map[string]any](api, stoppable()[i].resource, namespace, name)
		return o["spec"].(map[string]any)
	}
	for i, name := range []string{"web", "db", "alone", "old"} {
		if got := spec(i, "copy", name)["replicas"]; got != float64(0) {
			t.Errorf("%s wants %v pods", name, got)
		}
	}
	if got := spec(0, "shop", "web")["replicas"]; got != float64(2) {
		t.Errorf("the original wants %v pods", got)
	}
	if got := spec(2, "copy", "web-1")["replicas"]; got != float64(0) {
		t.Errorf("the replica set of a deployment wants %v pods", got)
	}
	each, _ := kubetest.Get[appsv1.DaemonSet](api, kube.Apps("daemonsets", "DaemonSet"), "copy", "each")
	if each.Spec.Template.Spec.NodeSelector[contract.DrillLabel] == "" {
		t.Errorf("the daemon set selects nodes by %v", each.Spec.Template.Spec.NodeSelector)
	}
	if spec(5, "copy", "load")["suspend"] != true {
		t.Errorf("the job goes on")
	}
	if pods := kubetest.All[corev1.Pod](api, kube.Pods()); len(pods) != 1 || pods[0].Namespace != "shop" {
		t.Errorf("%d pods are left", len(pods))
	}
}
