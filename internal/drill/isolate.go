package drill

import (
	"context"
	"fmt"
	"maps"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
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
	labels := map[string]string{contract.DrillLabel: in.Ref.ID}
	class := isolation.PriorityClass(labels)
	_, err = kube.Make(ctx, s.Kube, priorityClasses(), "", &class, kube.CreateOptions{FieldManager: resource.FieldManager})
	if err != nil && !kube.IsAlreadyExists(err) {
		return fmt.Errorf("make the priority class of the copy: %w", err)
	}
	wall := isolation.Wall{Labels: labels, WorkerNamespace: s.Config.Namespace}
	if wall.APIServer, err = s.serverAddresses(ctx); err != nil {
		return err
	}
	for _, namespace := range slices.Sorted(maps.Values(run.Restore.Spec.NamespaceMapping)) {
		policy, err := wall.Policy(namespace)
		if err != nil {
			return err
		}
		_, err = kube.Make(ctx, s.Kube, networkPolicies(), namespace, &policy, kube.CreateOptions{FieldManager: resource.FieldManager})
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

// serverAddresses are those from which the API server's proxy reaches pods.
func (s *Service) serverAddresses(ctx context.Context) (all []string, err error) {
	err = kube.List(ctx, s.Kube, endpointSlices(), metav1.NamespaceDefault, discoveryv1.LabelServiceName+"=kubernetes", func(e discoveryv1.EndpointSlice) error {
		for _, at := range e.Endpoints {
			all = append(all, at.Addresses...)
		}
		return nil
	})
	return all, err
}

func endpointSlices() kube.Resource {
	return kube.Resource{Group: "discovery.k8s.io", Version: "v1", Name: "endpointslices", Kind: "EndpointSlice", Namespaced: true}
}

func priorityClasses() kube.Resource {
	return kube.Resource{Group: "scheduling.k8s.io", Version: "v1", Name: "priorityclasses", Kind: "PriorityClass"}
}

func networkPolicies() kube.Resource {
	return kube.Resource{Group: "networking.k8s.io", Version: "v1", Name: "networkpolicies", Kind: "NetworkPolicy", Namespaced: true}
}
