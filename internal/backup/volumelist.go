package backup

import (
	"context"
	"fmt"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// volumeLister reads the objects by which volumes are planned, and the hooks of pods. It
// keeps of a cluster only what is in the backup and concerns volumes.
type volumeLister struct {
	service        *Service
	doc            *Plan
	types          map[string]filter.Decision // of claims, volumes and pods
	claims         []corev1.PersistentVolumeClaim
	volumes        []corev1.PersistentVolume
	pods           []corev1.Pod
	classes        []snapshotv1.VolumeSnapshotClass
	hasSnapshotAPI bool
	podsWithHooks  map[string]PodHooks // by "namespace/name"
	reasons        []report.Reason

	mounted      map[string]bool // claims that selected pods mount, by "namespace/name"
	boundVolumes map[string]bool // volumes of selected claims
}

func newVolumeLister(s *Service, doc *Plan) *volumeLister {
	l := &volumeLister{
		service: s, doc: doc, types: map[string]filter.Decision{},
		podsWithHooks: map[string]PodHooks{}, mounted: map[string]bool{}, boundVolumes: map[string]bool{},
	}
	for _, gr := range []string{resource.Pods, resource.PersistentVolumeClaims, resource.PersistentVolumes} {
		l.types[gr] = filter.None
		if r, ok := doc.FindResource(gr); ok {
			l.types[gr] = doc.Filter.IncludeType(kube.FilterType(r))
		}
	}
	return l
}

// listVolumes reads pods, claims, volumes and snapshot classes. Pods come first, because the
// claims that they mount are in the backup with them. Types that the backup has no objects of
// are not read.
func (l *volumeLister) listVolumes(ctx context.Context) error {
	if l.types[resource.Pods] != filter.None {
		if err := kube.List(ctx, l.service.Kube, kube.Pods(), l.listNamespace(), "", l.addPod); err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
	}
	if l.types[resource.PersistentVolumeClaims] != filter.None {
		if err := kube.List(ctx, l.service.Kube, kube.Claims(), l.listNamespace(), "", l.addClaim); err != nil {
			return fmt.Errorf("list claims: %w", err)
		}
	}
	if len(l.claims) == 0 && l.types[resource.PersistentVolumes] != filter.All {
		return nil
	}
	if err := kube.List(ctx, l.service.Kube, kube.Volumes(), "", "", l.addVolume); err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	return l.snapshotClasses(ctx)
}

// listNamespace is the namespace to list in: the only one of the backup, or "" for all.
func (l *volumeLister) listNamespace() string {
	if names := l.doc.Filter.Namespaces(); len(names) == 1 && !l.doc.Filter.AllNamespaces() {
		return names[0]
	}
	return ""
}

// snapshotClasses lists the VolumeSnapshotClasses. A cluster without the snapshot API has
// none.
func (l *volumeLister) snapshotClasses(ctx context.Context) error {
	err := kube.List(ctx, l.service.Kube, kube.VolumeSnapshotClasses(), "", "", func(c snapshotv1.VolumeSnapshotClass) error {
		l.classes = append(l.classes, c)
		return nil
	})
	l.hasSnapshotAPI = err == nil
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("list volume snapshot classes: %w", err)
	}
	return nil
}

// isExcluded reports whether no backup holds an object: it is being deleted, or its label
// excludes it.
func isExcluded(m *metav1.ObjectMeta) bool {
	return m.DeletionTimestamp != nil || m.Labels[filter.ExcludeLabel] == "true"
}

// addPod keeps the parts of a pod that matter here, because a cluster has many pods.
func (l *volumeLister) addPod(pod corev1.Pod) error {
	if isExcluded(&pod.ObjectMeta) || !l.isSelected(resource.Pods, pod.Namespace, pod.Name, pod.Labels) {
		return nil
	}
	if err := l.addPodHooks(&pod); err != nil {
		return err
	}
	for _, claim := range volume.ClaimsOf(&pod) {
		l.mounted[resource.ObjectName(pod.Namespace, claim)] = true
	}
	if len(pod.Spec.Volumes) > 0 {
		l.pods = append(l.pods, trimPod(&pod))
	}
	return nil
}

// trimPod copies the parts of a pod by which volumes are planned.
func trimPod(pod *corev1.Pod) corev1.Pod {
	out := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, Labels: pod.Labels, Annotations: pod.Annotations}}
	out.Spec.Volumes, out.Spec.NodeName, out.Status.Phase = pod.Spec.Volumes, pod.Spec.NodeName, pod.Status.Phase
	mounts := func(all []corev1.Container) []corev1.Container {
		var kept []corev1.Container
		for i := range all {
			kept = append(kept, corev1.Container{Name: all[i].Name, VolumeMounts: all[i].VolumeMounts})
		}
		return kept
	}
	out.Spec.Containers, out.Spec.InitContainers = mounts(pod.Spec.Containers), mounts(pod.Spec.InitContainers)
	return out
}

// addPodHooks keeps the hooks of a pod, and the reasons why some of them are not understood.
func (l *volumeLister) addPodHooks(pod *corev1.Pod) error {
	pre, post, problems, err := hook.Backup(l.doc.Backup.Spec.Hooks, pod)
	if err != nil {
		return failure.Invalid("%w", err)
	}
	l.reasons = append(l.reasons, problems...)
	record, err := hook.RecordedName(pod.Annotations)
	if err != nil {
		l.reasons = append(l.reasons, report.New(report.HookInvalid, err.Error()).At(resource.Pods, pod.Namespace, pod.Name))
	}
	if len(pre)+len(post) > 0 {
		l.podsWithHooks[resource.ObjectName(pod.Namespace, pod.Name)] = PodHooks{Namespace: pod.Namespace, Name: pod.Name, Owner: ControllerUID(pod), Pre: pre, Post: post, Record: record}
	}
	return nil
}

func (l *volumeLister) addVolume(pv corev1.PersistentVolume) error {
	if !isExcluded(&pv.ObjectMeta) {
		pv.ManagedFields = nil
		l.volumes = append(l.volumes, pv)
	}
	return nil
}

func (l *volumeLister) addClaim(c corev1.PersistentVolumeClaim) error {
	if isExcluded(&c.ObjectMeta) || !l.isSelected(resource.PersistentVolumeClaims, c.Namespace, c.Name, c.Labels) {
		return nil
	}
	c.ManagedFields = nil
	l.claims = append(l.claims, c)
	l.boundVolumes[c.Spec.VolumeName] = true
	return nil
}

// isSelected reports whether the backup will hold an object, be it listed or because a listed
// object refers to it.
func (l *volumeLister) isSelected(groupResource, namespace, name string, labels map[string]string) bool {
	f, decision := l.doc.Filter, l.types[groupResource]
	if decision == filter.None || namespace != "" && !f.IncludeNamespace(namespace) {
		return false
	}
	switch {
	case groupResource == resource.PersistentVolumeClaims && l.mounted[resource.ObjectName(namespace, name)], groupResource == resource.PersistentVolumes && l.boundVolumes[name]:
		return true
	}
	return decision == filter.All && f.MatchLabels(labels)
}

func (l *volumeLister) planInputs() volume.Inputs {
	return volume.Inputs{
		Claims: l.claims, Volumes: l.volumes, Pods: l.pods, SnapshotClasses: l.classes, CSI: l.hasSnapshotAPI,
		Spec: l.doc.Backup.Spec, BackupUID: l.doc.UID, BackupAnnotations: l.doc.Backup.Annotations,
		Selected: l.isSelected,
	}
}
