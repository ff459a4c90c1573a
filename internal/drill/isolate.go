package drill

import (
	"context"
	"fmt"
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/apply"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Isolate refuses a copy that costs more than it may, then makes its namespaces, each closed to
// the outside before anything is in it. It may repeat.
func (s *Service) Isolate(ctx context.Context, in contract.IsolateDrillInput) error {
	run, err := s.copyOf(ctx, in.Ref)
	if err != nil {
		return err
	}
	if err := checkBudget(run.Plan.Volumes, in.Budget); err != nil {
		return err
	}
	if err := apply.MakeNamespaces(ctx, s.Restore, run); err != nil {
		return fmt.Errorf("make the namespaces of the copy: %w", err)
	}
	for _, namespace := range slices.Sorted(maps.Values(run.Restore.Spec.NamespaceMapping)) {
		policy := closed(namespace, in.Ref.ID)
		_, err := kube.Make(ctx, s.Kube, networkPolicies(), namespace, policy, kube.CreateOptions{FieldManager: resource.FieldManager})
		if err != nil && !kube.IsAlreadyExists(err) {
			return fmt.Errorf("close namespace %s: %w", namespace, err)
		}
	}
	return nil
}

// checkBudget holds the volumes of a plan against what the drill may use.
func checkBudget(volumes *restore.Volumes, budget definition.Budget) error {
	var bytes int64
	made := volumes.Count(func(v *volume.Restore) bool {
		if v.HasData() || v.Provisioned() {
			bytes += v.Capacity
			return true
		}
		return false
	})
	switch gib := (bytes + 1<<30 - 1) >> 30; {
	case budget.Volumes > 0 && made > budget.Volumes:
		return failure.Invalid("spec.budget.volumes: %d volumes would be made, %d are allowed; raise it, or select less", made, budget.Volumes)
	case budget.GiB > 0 && gib > budget.GiB:
		return failure.Invalid("spec.budget.gib: volumes of %d GiB would be made, %d are allowed; raise it, or select less", gib, budget.GiB)
	}
	return nil
}

// closed lets pods of the namespaces of one copy reach each other, and nothing else.
func closed(namespace, drill string) *networkingv1.NetworkPolicy {
	within := []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{contract.DrillLabel: drill}}}}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: "lifeboat-drill", Namespace: namespace, Labels: map[string]string{contract.DrillLabel: drill}},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: within}},
			Egress:      []networkingv1.NetworkPolicyEgressRule{{To: within}},
		},
	}
}

func networkPolicies() kube.Resource {
	return kube.Resource{Group: "networking.k8s.io", Version: "v1", Name: "networkpolicies", Kind: "NetworkPolicy", Namespaced: true}
}
