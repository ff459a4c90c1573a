package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	if err := s.refuseForeignVolumes(ctx, run); err != nil {
		return err
	}
	if err := s.refuseStuckNamespaces(ctx, targets(run)); err != nil {
		return err
	}
	if err := apply.MakeNamespaces(ctx, s.Restore, run); err != nil {
		return fmt.Errorf("make the namespaces of the copy: %w", err)
	}
	labels := contract.DrillLabels(s.Config.Cluster, in.Ref.ID)
	class := isolation.PriorityClass(s.Config.Cluster, labels)
	_, err = kube.Make(ctx, s.Kube, priorityClasses(), "", &class, kube.CreateOptions{FieldManager: resource.FieldManager})
	if err != nil && !kube.IsAlreadyExists(err) {
		return fmt.Errorf("make the priority class of the copy: %w", err)
	}
	return s.closeOff(ctx, labels, targets(run))
}

// stuckAfter is how long a namespace may take to go, as long as the teardown of a drill gives its own.
const stuckAfter = 5 * time.Minute

// refuseStuckNamespaces refuses a copy whose namespace is there and does not go: somebody has to help.
// One that has been deleted just now is waited for by whoever makes it.
func (s *Service) refuseStuckNamespaces(ctx context.Context, namespaces []string) error {
	for _, name := range namespaces {
		raw, err := s.Kube.Get(ctx, kube.Namespaces(), "", name)
		if kube.IsNotFound(err) {
			continue
		}
		var ns corev1.Namespace
		if err == nil {
			err = json.Unmarshal(raw, &ns)
		}
		if err != nil {
			return fmt.Errorf("read namespace %s: %w", name, err)
		}
		if at := ns.DeletionTimestamp; at != nil && time.Since(at.Time) > stuckAfter {
			return failure.Invalid("namespace %s of the copy is there and was deleted %s ago: %s; remove what holds it, and run the drill again", name, time.Since(at.Time).Round(time.Second), apply.NamespaceBlockers(raw))
		}
	}
	return nil
}

// closeOff makes the network policy in each namespace of a copy.
func (s *Service) closeOff(ctx context.Context, labels map[string]string, namespaces []string) (err error) {
	wall := isolation.Wall{Labels: labels, WorkerNamespace: s.Namespace}
	if wall.APIServer, err = s.serverAddresses(ctx); err != nil {
		return err
	}
	for _, namespace := range namespaces {
		policy, err := wall.Policy(namespace)
		if err != nil {
			return err
		}
		_, err = kube.Make(ctx, s.Kube, kube.NetworkPolicies(), namespace, &policy, kube.CreateOptions{FieldManager: resource.FieldManager})
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
