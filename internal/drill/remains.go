package drill

import (
	"context"
	"fmt"
	"slices"
	"strings"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/drill/readiness"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/apply"
)

// TearDown asks for everything of a drill to go, and says what is still there: nothing is the
// leak scan that found none. It may repeat, and is asked until nothing is left.
func (s *Service) TearDown(ctx context.Context, in contract.TearDownInput) (contract.DrillRemains, error) {
	r := &remains{service: s, disks: in.Disks, selector: contract.DrillLabel + "=" + in.Ref.ID, namespaces: map[string]bool{}}
	if in.Ref.Restore.Name != "" {
		if err := r.readCopy(ctx, in.Ref); err != nil {
			return contract.DrillRemains{}, err
		}
	}
	return r.removeAll(ctx)
}

// RemoveLost is TearDown of all drills of the cluster but this one: since drills never overlap,
// theirs were lost with their runs. Those of another Lifeboat on this API server are left alone.
func (s *Service) RemoveLost(ctx context.Context, in contract.TearDownInput) (contract.DrillRemains, error) {
	r := &remains{service: s, disks: in.Disks, selector: s.selectCopies() + "," + contract.DrillLabel + "!=" + in.Ref.ID, namespaces: map[string]bool{}}
	return r.removeAll(ctx)
}

func (r *remains) removeAll(ctx context.Context) (contract.DrillRemains, error) {
	for _, remove := range []func(context.Context) error{r.removeNamespaces, r.countJobs, r.removeVolumes, r.removeContents, r.removePriorityClasses, r.lookAtEC2} {
		if err := remove(ctx); err != nil {
			return contract.DrillRemains{}, fmt.Errorf("remove the copy: %w", err)
		}
	}
	return r.found, nil
}

// remains is what is there of a drill. Objects in its namespaces go with them.
type remains struct {
	service    *Service
	selector   string
	namespaces map[string]bool // of the drill, also of those that have gone
	disks      []string        // volumes of EC2 that were seen behind the copy
	found      contract.DrillRemains
}

// readCopy reads which namespaces the drill was to make. A restore that was never opened has
// made none.
func (r *remains) readCopy(ctx context.Context, ref contract.DrillRef) error {
	run, err := r.service.Restore.OpenRun(ctx, ref.Restore)
	if restore.IsGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, to := range run.Restore.Spec.NamespaceMapping {
		r.namespaces[to] = true
	}
	return nil
}

// note counts what was found, and names the first.
func (r *remains) note(kind, name, detail string) {
	i := slices.IndexFunc(r.found.Types, func(t contract.DrillRemain) bool { return t.Type == kind })
	if i < 0 {
		r.found.Types = append(r.found.Types, contract.DrillRemain{Type: kind})
		i = len(r.found.Types) - 1
	}
	r.found.Types[i].Found++
	if len(r.found.Names) < namedObjects {
		r.found.Names = append(r.found.Names, evidence.Leftover{Type: kind, Name: name, Detail: evidence.Text(detail)})
	}
}

// remove deletes an object unless that was asked for before. It is conditional on the uid:
// another of the name is left alone.
func (r *remains) remove(ctx context.Context, of kube.Resource, meta metav1.ObjectMeta) error {
	if meta.DeletionTimestamp != nil {
		return nil
	}
	err := r.service.Kube.Delete(ctx, of, "", meta.Name, kube.DeleteOptions{UID: string(meta.UID), Propagation: "Background"})
	if err != nil && !kube.IsNotFound(err) && !kube.IsConflict(err) {
		return err
	}
	return nil
}

// removeNamespaces deletes the namespaces that carry the drill's label, and no others.
func (r *remains) removeNamespaces(ctx context.Context) error {
	var all []corev1.Namespace
	err := kube.List(ctx, r.service.Kube, kube.Namespaces(), "", r.selector, func(ns corev1.Namespace) error {
		all = append(all, ns)
		return nil
	})
	if err != nil {
		return err
	}
	for i := range all {
		ns := &all[i]
		r.namespaces[ns.Name] = true
		if err := r.settleVolumes(ctx, ns.Name); err != nil {
			return err
		}
		if err := r.remove(ctx, kube.Namespaces(), ns.ObjectMeta); err != nil {
			return err
		}
		raw, err := r.service.Kube.Get(ctx, kube.Namespaces(), "", ns.Name)
		if kube.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		r.note("namespaces", ns.Name, apply.NamespaceBlockers(raw))
	}
	return nil
}

// settleVolumes has the volumes that were made for claims of a namespace go with them, whatever
// their class says, and keeps the data of somebody's volume to which a claim was bound all the same:
// with the reclaim policy Delete it would go with the claim.
func (r *remains) settleVolumes(ctx context.Context, namespace string) error {
	return kube.List(ctx, r.service.Kube, kube.Claims(), namespace, "", func(c corev1.PersistentVolumeClaim) error {
		if c.Spec.VolumeName == "" {
			return nil
		}
		pv, err := kube.Read[corev1.PersistentVolume](ctx, r.service.Kube, kube.Volumes(), "", c.Spec.VolumeName)
		if kube.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case isMadeFor(&pv, &c):
			return r.setReclaimPolicy(ctx, &pv, corev1.PersistentVolumeReclaimDelete)
		case readiness.IsForeign(&pv, &c):
			return r.setReclaimPolicy(ctx, &pv, corev1.PersistentVolumeReclaimRetain)
		}
		return nil
	})
}

func (r *remains) setReclaimPolicy(ctx context.Context, pv *corev1.PersistentVolume, policy corev1.PersistentVolumeReclaimPolicy) error {
	if pv.Spec.PersistentVolumeReclaimPolicy == policy {
		return nil
	}
	_, err := r.service.Kube.Patch(ctx, kube.Volumes(), "", pv.Name, kube.PatchMerge, fmt.Appendf(nil, `{"spec":{"persistentVolumeReclaimPolicy":%q}}`, policy), kube.PatchOptions{FieldManager: resource.FieldManager})
	if kube.IsNotFound(err) {
		return nil
	}
	return err
}

// isMadeFor says that a volume was made for a claim: a provisioner names the claim's uid in the
// volume's name, the drill labels its own.
func isMadeFor(pv *corev1.PersistentVolume, c *corev1.PersistentVolumeClaim) bool {
	provisioned := pv.Annotations["pv.kubernetes.io/provisioned-by"] != "" && strings.HasSuffix(pv.Name, string(c.UID))
	return provisioned || pv.Labels[contract.DrillLabel] != "" && pv.Labels[contract.DrillLabel] == c.Labels[contract.DrillLabel]
}

// removeVolumes looks for volumes of the drill. Those that were provisioned go when their
// provisioner has deleted the data; those that the drill made itself are deleted.
func (r *remains) removeVolumes(ctx context.Context) error {
	var labelled []corev1.PersistentVolume
	seen := map[string]bool{}
	err := kube.List(ctx, r.service.Kube, kube.Volumes(), "", r.selector, func(pv corev1.PersistentVolume) error {
		labelled = append(labelled, pv)
		seen[pv.Name] = true
		return nil
	})
	if err != nil {
		return err
	}
	for i := range labelled {
		pv := &labelled[i]
		// One that is bound goes by its reclaim policy, and its disk with it.
		if pv.Status.Phase != corev1.VolumeBound || pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
			if err := r.remove(ctx, kube.Volumes(), pv.ObjectMeta); err != nil {
				return err
			}
		}
		r.note("persistentvolumes", pv.Name, fmt.Sprintf("is %s, finalizers %v", pv.Status.Phase, pv.Finalizers))
		r.addDisk(pv)
	}
	return kube.List(ctx, r.service.Kube, kube.Volumes(), "", "", func(pv corev1.PersistentVolume) error {
		if ref := pv.Spec.ClaimRef; ref != nil && r.namespaces[ref.Namespace] && !seen[pv.Name] && pv.Annotations["pv.kubernetes.io/provisioned-by"] != "" {
			r.addDisk(&pv)
			r.note("persistentvolumes", pv.Name, fmt.Sprintf("is %s, reclaim policy %s, finalizers %v", pv.Status.Phase, pv.Spec.PersistentVolumeReclaimPolicy, pv.Finalizers))
		}
		return nil
	})
}

// removeContents deletes what stood for snapshots of the backup, which stay where they are: the
// contents are retained.
func (r *remains) removeContents(ctx context.Context) error {
	var all []snapshotv1.VolumeSnapshotContent
	err := kube.List(ctx, r.service.Kube, kube.VolumeSnapshotContents(), "", r.selector, func(c snapshotv1.VolumeSnapshotContent) error {
		all = append(all, c)
		return nil
	})
	if kube.IsNotFound(err) {
		return nil // the cluster has no snapshots
	}
	if err != nil {
		return err
	}
	for i := range all {
		c := &all[i]
		if c.Spec.DeletionPolicy == snapshotv1.VolumeSnapshotContentRetain {
			if err := r.remove(ctx, kube.VolumeSnapshotContents(), c.ObjectMeta); err != nil {
				return err
			}
		}
		r.note("volumesnapshotcontents", c.Name, fmt.Sprintf("deletion policy %s, finalizers %v", c.Spec.DeletionPolicy, c.Finalizers))
	}
	return nil
}

func (r *remains) removePriorityClasses(ctx context.Context) error {
	var all []schedulingv1.PriorityClass
	err := kube.List(ctx, r.service.Kube, priorityClasses(), "", r.selector, func(c schedulingv1.PriorityClass) error {
		all = append(all, c)
		return nil
	})
	if err != nil {
		return err
	}
	for i := range all {
		if err := r.remove(ctx, priorityClasses(), all[i].ObjectMeta); err != nil {
			return err
		}
		r.note(priorityClasses().GroupResource(), all[i].Name, fmt.Sprintf("finalizers %v", all[i].Finalizers))
	}
	return nil
}
