package drill

import (
	"cmp"
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/apply"
	"github.com/lifeboat-backup/lifeboat/internal/restore/volumes"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// request is what a claim of the copy asks a storage class for. A claim without a class gets the
// cluster's usual one.
type request struct {
	claim string // what to call the claim
	class string
	bytes int64
}

// fits says that Kubernetes would bind the claim to a free volume. Where the cluster has no
// usual class, that is any volume without a class.
func (r request) fits(pv *corev1.PersistentVolume, usual string) bool {
	capacity := pv.Spec.Capacity[corev1.ResourceStorage]
	return pv.Spec.StorageClassName == cmp.Or(r.class, usual) && capacity.Value() >= r.bytes
}

// refuseForeignVolumes refuses a copy of which a claim would be bound to a volume that is there:
// Kubernetes gives a claim any free one that fits, also if it is to be filled from a snapshot, and
// its data would go with the copy. Claims that an operator of the cluster makes are not foreseen.
func (s *Service) refuseForeignVolumes(ctx context.Context, run *restore.Run) error {
	free, err := s.freeVolumes(ctx)
	if err != nil || len(free) == 0 {
		return err // with none, the backup need not be read
	}
	all, err := s.requestsOf(ctx, run)
	if err != nil {
		return err
	}
	return s.refuseRequests(ctx, free, all)
}

// freeVolumes are those that Kubernetes may bind to any claim that they fit.
func (s *Service) freeVolumes(ctx context.Context) (free []corev1.PersistentVolume, err error) {
	err = kube.List(ctx, s.Kube, kube.Volumes(), "", "", func(pv corev1.PersistentVolume) error {
		if pv.Spec.ClaimRef == nil {
			free = append(free, pv)
		}
		return nil
	})
	return free, err
}

func (s *Service) refuseRequests(ctx context.Context, free []corev1.PersistentVolume, all []request) error {
	classes, err := kube.ListMap[storagev1.StorageClass](ctx, s.Kube, kube.StorageClasses(), "", "")
	if err != nil {
		return fmt.Errorf("list storage classes: %w", err)
	}
	usual, _ := volumes.DefaultClass(classes)
	for i := range free {
		for _, r := range all {
			if r.fits(&free[i], usual.Name) {
				return failure.Invalid("volume %s is free, and the copy of %s would be bound to it; reserve it for its claim (spec.claimRef), or remove it", free[i].Name, r.claim)
			}
		}
	}
	return nil
}

// requestsOf are the claims for which storage classes make volumes: those of the backup, and those
// that controllers make.
func (s *Service) requestsOf(ctx context.Context, run *restore.Run) ([]request, error) {
	all := plannedRequests(run.Plan.Volumes)
	types, err := s.Kube.Discover(ctx)
	if err != nil {
		return nil, err
	}
	wanted, err := apply.NewWanted(ctx, s.Restore, run, types)
	if err != nil {
		return nil, err
	}
	for _, gr := range claimMakers() {
		err := repository.WalkResource(ctx, run.Arc, gr, func(e archive.Entry, body []byte) error {
			if !run.Includes(e.Resource, e.Namespace, e.Name) {
				return nil
			}
			object, err := wanted.Object(e, body)
			if err == nil && object != nil {
				all = append(all, requestsOfController(e, object, run.Index.Claims)...)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", gr, err)
		}
	}
	return all, nil
}

func plannedRequests(planned *restore.Volumes) (all []request) {
	for v := range planned.All() {
		if v.Provisioned() {
			all = append(all, request{"claim " + v.ClaimKey(), v.Class, v.Capacity})
		}
	}
	return all
}

// claimMakers are the types of which objects, or their controllers, make claims. CronJobs are
// suspended in a copy.
func claimMakers() []string {
	return []string{
		resource.StatefulSets, resource.Pods, "deployments.apps", "daemonsets.apps", "replicasets.apps", "replicationcontrollers", "jobs.batch",
	}
}

// claimMaker is what makes claims in a pod or in an object that has a template of pods.
type claimMaker struct {
	Spec struct {
		Replicas             *int32                         `json:"replicas"`
		Ordinals             appsv1.StatefulSetOrdinals     `json:"ordinals"`
		Volumes              []corev1.Volume                `json:"volumes"`
		Template             corev1.PodTemplateSpec         `json:"template"`
		VolumeClaimTemplates []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates"`
	} `json:"spec"`
}

// requestsOfController are the claims that a controller makes for an object of the copy, but for those
// of a StatefulSet that are in the backup. One that does not decode is left to the API server.
func requestsOfController(e archive.Entry, object map[string]any, restored map[string]*volume.Restore) (all []request) {
	var m claimMaker
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &m); err != nil {
		return nil
	}
	replicas := int32(1)
	if m.Spec.Replicas != nil {
		replicas = *m.Spec.Replicas
	}
	if replicas == 0 {
		return nil
	}
	add := func(name string, spec *corev1.PersistentVolumeClaimSpec) {
		size := spec.Resources.Requests[corev1.ResourceStorage]
		r := request{claim: fmt.Sprintf("%s of %s %s", name, e.Resource, e.Object()), bytes: size.Value()}
		if spec.StorageClassName != nil {
			r.class = *spec.StorageClassName
		}
		all = append(all, r)
	}
	for i := range m.Spec.VolumeClaimTemplates {
		t := &m.Spec.VolumeClaimTemplates[i]
		for n := range replicas {
			if v := restored[fmt.Sprintf("%s/%s-%s-%d", e.Namespace, t.Name, e.Name, m.Spec.Ordinals.Start+n)]; v == nil || !v.Selected {
				add("claim template "+t.Name, &t.Spec)
				break
			}
		}
	}
	for _, v := range append(m.Spec.Volumes, m.Spec.Template.Spec.Volumes...) {
		if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
			add("ephemeral volume "+v.Name, &v.Ephemeral.VolumeClaimTemplate.Spec)
		}
	}
	return all
}
