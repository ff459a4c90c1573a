package drill

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/garbage/orphan"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// TestCopies: what a drill has left is found by its label, as old as its first part, and removed
// with nothing of anybody else.
func TestCopies(t *testing.T) {
	api := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: priorityClasses()}, kubetest.Type{Resource: kube.Jobs()}))
	old := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	meta := func(name, drill string, at time.Time) metav1.ObjectMeta {
		m := metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(at)}
		if drill != "" {
			m.Labels = contract.DrillLabels("prod", drill)
		}
		return m
	}
	api.Put(&corev1.Namespace{ObjectMeta: meta("restore-test-shop", "lost", old.Add(time.Minute))})
	api.Put(&schedulingv1.PriorityClass{TypeMeta: metav1.TypeMeta{APIVersion: "scheduling.k8s.io/v1", Kind: "PriorityClass"}, ObjectMeta: meta("lifeboat-drill", "lost", old)})
	api.Put(&corev1.PersistentVolume{ObjectMeta: meta("pv-other", "other", old)})
	api.Put(&corev1.Namespace{ObjectMeta: meta("shop", "", old)})
	beside := meta("restore-test-beside", "theirs", old)
	beside.Labels[contract.DrillClusterLabel] = "another-lifeboat"
	api.Put(&corev1.Namespace{ObjectMeta: beside})
	s := &Service{Kube: api.Client(), Config: &config.Config{Cluster: "prod"}}
	found := map[string]orphan.Copy{}
	copies, err := s.Copies(t.Context())
	for _, c := range copies {
		found[c.Drill] = c
	}
	if err != nil || len(found) != 2 || !found["lost"].Created.Equal(old) || !found["other"].Created.Equal(old) {
		t.Fatalf("%+v, %v", copies, err)
	}
	var left string
	for range 5 { // what is asked to go is there still in the answer
		if left, err = s.RemoveCopy(t.Context(), "lost"); err != nil || left == "" {
			break
		}
	}
	if err != nil || left != "" {
		t.Fatalf("left %q, %v", left, err)
	}
	if _, there := kubetest.Get[corev1.Namespace](api, kube.Namespaces(), "", "restore-test-shop"); there {
		t.Error("the namespace is there")
	}
	if copies, err = s.Copies(t.Context()); err != nil || len(copies) != 1 || copies[0].Drill != "other" {
		t.Errorf("afterwards: %+v, %v", copies, err)
	}
	if _, err := s.RemoveLost(t.Context(), contract.TearDownInput{Ref: contract.DrillRef{ID: "next"}}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"shop", "restore-test-beside"} {
		if _, there := kubetest.Get[corev1.Namespace](api, kube.Namespaces(), "", name); !there {
			t.Errorf("%s is gone", name)
		}
	}
}

// TestCopyHeld: what holds a copy is named.
func TestCopyHeld(t *testing.T) {
	api := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: priorityClasses()}, kubetest.Type{Resource: kube.Jobs()}))
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv", Labels: contract.DrillLabels("prod", "lost"), Finalizers: []string{"example.com/hold"}}}
	api.Put(pv)
	left, err := (&Service{Kube: api.Client(), Config: &config.Config{Cluster: "prod"}}).RemoveCopy(t.Context(), "lost")
	if err != nil || !strings.Contains(left, "persistentvolumes pv") || !strings.Contains(left, "example.com/hold") || !strings.HasSuffix(left, ", of 1") {
		t.Errorf("%q, %v", left, err)
	}
}

// TestNamespaceHeld: a namespace that does not go is told with the finalizer of what is in it.
func TestNamespaceHeld(t *testing.T) {
	api := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: priorityClasses()}, kubetest.Type{Resource: kube.Jobs()}))
	api.Put(&corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: "restore-test-shop", Labels: contract.DrillLabels("prod", "lost")},
		Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
	})
	api.PutJSON(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"restore-test-shop","finalizers":["example.com/wait"]}}`)
	s := &Service{Kube: api.Client(), Config: &config.Config{Cluster: "prod"}}
	if left, err := s.RemoveCopy(t.Context(), "lost"); err != nil || left == "" {
		t.Fatalf("%q, %v", left, err)
	}
	kubetest.Modify(api, kube.Namespaces(), "", "restore-test-shop", func(ns *corev1.Namespace) { // by Kubernetes, once it is deleted
		ns.Status.Conditions = []corev1.NamespaceCondition{{
			Type: corev1.NamespaceFinalizersRemaining, Status: corev1.ConditionTrue, Message: "Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances",
		}}
	})
	left, err := s.RemoveCopy(t.Context(), "lost")
	if err != nil || !strings.Contains(left, "namespaces restore-test-shop") || !strings.Contains(left, "example.com/wait") {
		t.Errorf("%q, %v", left, err)
	}
}
