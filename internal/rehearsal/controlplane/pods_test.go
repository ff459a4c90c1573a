package controlplane_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
)

const rehearsals = "lifeboat"

// newPods is a provider beside a worker's pod, in a cluster in which no pod ever runs.
func newPods(t *testing.T) (*controlplane.Pods, *kubetest.Server) {
	t.Helper()
	api := kubetest.Start(t, kubetest.WithIdentity("ours"))
	api.Serve(kubetest.Type{Resource: kube.NetworkPolicies()})
	api.PutNamespaces(rehearsals)
	api.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: rehearsals, Name: "worker", UID: "uid-of-the-worker"}})
	return &controlplane.Pods{Kube: api.Client(), Namespace: rehearsals, Worker: "worker", APIServer: "a@sha256:1", Etcd: "e@sha256:2"}, api
}

// planes are the pods, Secrets and policies of control planes that there are.
func planes(api *kubetest.Server) (pods []corev1.Pod, secrets []corev1.Secret, allowed []networkingv1.NetworkPolicy) {
	pods = slices.DeleteFunc(kubetest.All[corev1.Pod](api, kube.Pods()), func(p corev1.Pod) bool { return p.Name == "worker" })
	return pods, kubetest.All[corev1.Secret](api, kube.Secrets()), kubetest.All[networkingv1.NetworkPolicy](api, kube.NetworkPolicies())
}

// TestPodIsLocked: the pod has no account, no rights, no network and nothing on a disk; it goes with
// the worker; and none of it is left when it does not come to run.
func TestPodIsLocked(t *testing.T) {
	p, api := newPods(t)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var pod corev1.Pod
	var secret corev1.Secret
	var policy networkingv1.NetworkPolicy
	api.After(kubetest.On("create", kube.Pods()), func(kubetest.Request, map[string]any) {
		pods, secrets, allowed := planes(api)
		if len(pods) != 1 || len(secrets) != 1 || len(allowed) != 1 {
			t.Errorf("when the pod was made there were %d pods, %d Secrets and %d policies", len(pods), len(secrets), len(allowed))
			return
		}
		pod, secret, policy = pods[0], secrets[0], allowed[0]
	})
	if _, err := p.Start(ctx, controlplane.Spec{}); err == nil || !strings.Contains(err.Error(), "no node has taken it yet") {
		t.Errorf("a pod that does not run: %v", err)
	}
	for _, o := range []metav1.Object{&pod, &secret, &policy} {
		if owners := o.GetOwnerReferences(); len(owners) != 1 || owners[0].UID != "uid-of-the-worker" {
			t.Errorf("%T %s is owned by %v", o, o.GetName(), owners)
		}
	}
	s := pod.Spec
	if *s.AutomountServiceAccountToken || *s.EnableServiceLinks || s.RestartPolicy != corev1.RestartPolicyNever || *s.ActiveDeadlineSeconds == 0 || !*s.SecurityContext.RunAsNonRoot || s.HostNetwork {
		t.Errorf("pod %+v", s)
	}
	for _, v := range s.Volumes {
		if v.EmptyDir != nil && v.EmptyDir.Medium != corev1.StorageMediumMemory || v.EmptyDir == nil && v.Secret == nil {
			t.Errorf("volume %+v", v)
		}
	}
	for _, c := range s.Containers {
		sc := c.SecurityContext
		if *sc.AllowPrivilegeEscalation || !*sc.ReadOnlyRootFilesystem || !slices.Contains(sc.Capabilities.Drop, "ALL") || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("container %+v", c)
		}
		if text := strings.Join(c.Command, " "); strings.Contains(text, "0.0.0.0") || !strings.Contains(text, "127.0.0.1") {
			t.Errorf("%s listens beyond the pod: %s", c.Name, text)
		}
	}
	if len(policy.Spec.PolicyTypes) != 2 || len(policy.Spec.Ingress)+len(policy.Spec.Egress) > 0 || !matches(policy.Spec.PodSelector.MatchLabels, pod.Labels) {
		t.Errorf("policy %+v of a pod with the labels %v", policy.Spec, pod.Labels)
	}
	if pods, secrets, allowed := planes(api); len(pods)+len(secrets)+len(allowed) > 0 {
		t.Errorf("left over: %v %v %v", pods, secrets, allowed)
	}
}

func matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

// TestPodsLeftOver: what an earlier process of this worker's pod left goes, and what has ended,
// whoever made it; the pod of another worker that runs stays.
func TestPodsLeftOver(t *testing.T) {
	p, api := newPods(t)
	put := func(name, owner string, phase corev1.PodPhase) {
		meta := metav1.ObjectMeta{Namespace: rehearsals, Name: "lifeboat-rehearsal-" + name, Labels: map[string]string{"app.kubernetes.io/name": "lifeboat-rehearsal"}}
		if owner != "" {
			meta.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "w", UID: "uid-of-the-worker"}}
			if owner != "ours" {
				meta.OwnerReferences[0].UID = "another"
			}
		}
		api.Put(&corev1.Pod{ObjectMeta: meta, Status: corev1.PodStatus{Phase: phase}}, &corev1.Secret{ObjectMeta: meta})
	}
	put("crashed", "ours", corev1.PodRunning)
	put("expired", "another", corev1.PodFailed)
	put("outside", "", corev1.PodFailed)
	put("at-work", "another", corev1.PodRunning)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, _ = p.Start(ctx, controlplane.Spec{}) // it does not run
	pods, secrets, _ := planes(api)
	if len(pods) != 1 || pods[0].Name != "lifeboat-rehearsal-at-work" || len(secrets) != 1 {
		t.Errorf("left: %v, %v", pods, secrets)
	}
}

// TestPodsRefused: without the rights, the error says which to grant, and is final.
func TestPodsRefused(t *testing.T) {
	p, api := newPods(t)
	api.Refuse(kubetest.On("create", kube.NetworkPolicies()), http.StatusForbidden, metav1.StatusReasonForbidden, "not you")
	_, err := p.Start(t.Context(), controlplane.Spec{})
	if failure.TypeOf(err) != contract.ErrTypeLocation || !strings.Contains(err.Error(), "pods/portforward") {
		t.Errorf("error %v", err)
	}
	if _, err := p.Start(t.Context(), controlplane.Spec{Version: "1.2"}); failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), "rehearsal.pod.versions") {
		t.Errorf("unknown version: %v", err)
	}
}
