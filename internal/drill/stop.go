package drill

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/drill/readiness"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

const (
	// quotaWait is how long Kubernetes may take to enforce a new quota: its controller counts first.
	quotaWait = 30 * time.Second
	// quotaLook is how often is looked, and longer than API servers take to know of a quota.
	quotaLook = time.Second
)

// stopNamespace leaves a namespace without pods, whoever makes them: a quota admits none, Jobs are
// suspended, and the pods that are there are deleted. Pods with an end of their own
// (activeDeadlineSeconds) are not counted, so that probes are made all the same; an operator's with
// one may come again. It may repeat.
func (s *Service) stopNamespace(ctx context.Context, namespace string) error {
	if err := s.forbidPods(ctx, namespace); err != nil {
		return err
	}
	err := kube.List(ctx, s.Kube, kube.Jobs(), namespace, "", func(o metav1.PartialObjectMetadata) error {
		_, err := s.Kube.Patch(ctx, kube.Jobs(), namespace, o.Name, kube.PatchMerge, []byte(`{"spec":{"suspend":true}}`), kube.PatchOptions{FieldManager: resource.FieldManager})
		return err
	})
	if err != nil {
		return err
	}
	return s.deletePods(ctx, namespace)
}

func quotas() kube.Resource {
	return kube.Resource{Version: "v1", Name: "resourcequotas", Kind: "ResourceQuota", Namespaced: true}
}

// forbidPods makes a quota without room for a pod, and waits until it is enforced.
func (s *Service) forbidPods(ctx context.Context, namespace string) error {
	none := &corev1.ResourceQuota{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"}, ObjectMeta: metav1.ObjectMeta{Name: controlPod, Namespace: namespace},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: quantity.Quantity{}}, Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeNotTerminating}},
	}
	if _, err := kube.Make(ctx, s.Kube, quotas(), namespace, none, kube.CreateOptions{FieldManager: resource.FieldManager}); err != nil && !kube.IsAlreadyExists(err) {
		return err
	}
	for end := time.Now().Add(quotaWait); ; {
		q, err := kube.Read[corev1.ResourceQuota](ctx, s.Kube, quotas(), namespace, controlPod)
		if err != nil || len(q.Status.Hard) > 0 {
			return err
		}
		if time.Now().After(end) {
			return nil // the checks tell whether pods came again
		}
		if err := poll.Wait(ctx, quotaLook); err != nil {
			return err
		}
	}
}

// deletePods deletes pods until none has come again between two looks, or for as long as a quota may
// take: the checks tell whether some are left.
func (s *Service) deletePods(ctx context.Context, namespace string) error {
	now := int64(0)
	for end := time.Now().Add(quotaWait); ; {
		pods, err := readiness.Pods(ctx, s.Kube, namespace)
		pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
		if err != nil || len(pods) == 0 || time.Now().After(end) {
			return err
		}
		for i := range pods {
			err := s.Kube.Delete(ctx, kube.Pods(), namespace, pods[i].Name, kube.DeleteOptions{GracePeriodSeconds: &now})
			if err != nil && !kube.IsNotFound(err) {
				return err
			}
		}
		if err := poll.Wait(ctx, quotaLook); err != nil {
			return err
		}
	}
}
