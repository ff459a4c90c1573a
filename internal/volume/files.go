package volume

import (
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// optOut says that files of all volumes are to be backed up, unless a pod says
// otherwise.
func (p *planner) optOut() bool {
	set := func(b *bool) bool { return b != nil && *b }
	return set(p.in.Spec.DefaultVolumesToFsBackup) || set(p.in.Spec.DefaultVolumesToRestic) //nolint:staticcheck // deprecated, and accepted
}

// fileLevel is the running pod for which file-level backup of a claim was asked,
// "" if there is none (docs/VELERO.md 6.5).
func (p *planner) fileLevel(claim *corev1.PersistentVolumeClaim) string {
	if m := claim.Spec.VolumeMode; m != nil && *m == corev1.PersistentVolumeBlock {
		return ""
	}
	for _, pod := range p.pods[claim.Namespace+"/"+claim.Name] {
		for i := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[i]
			if claimOf(pod, v) == claim.Name && p.wantsFiles(pod, v.Name) {
				return pod.Namespace + "/" + pod.Name
			}
		}
	}
	return ""
}

// wantsFiles says whether files of a pod's volume are to be backed up, by the pod's
// annotations and the spec, no policy matching.
func (p *planner) wantsFiles(pod *corev1.Pod, volume string) bool {
	if pod.Status.Phase != corev1.PodRunning || !isMounted(pod, volume) {
		return false
	}
	if p.optOut() {
		return !isListed(pod, velerov1.VolumesToExcludeAnnotation, volume)
	}
	return isListed(pod, velerov1.VolumesToBackupAnnotation, volume)
}

func isListed(pod *corev1.Pod, annotation, volume string) bool {
	return slices.ContainsFunc(strings.Split(pod.Annotations[annotation], ","), func(s string) bool {
		return strings.TrimSpace(s) == volume
	})
}

// isMounted says whether a container of the pod mounts the volume.
func isMounted(pod *corev1.Pod, volume string) bool {
	return slices.ContainsFunc(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers), func(c corev1.Container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == volume })
	})
}

// neverFiles are sources whose files Velero does not back up either.
func neverFiles() []string {
	return []string{"hostPath", "secret", "configMap", "projected", "downwardAPI"}
}

// podVolumes warns of the volumes that pods have without a claim, such as emptyDir,
// where file-level backup was asked for.
func (p *planner) podVolumes() {
	for i := range p.in.Pods {
		pod := &p.in.Pods[i]
		if !p.isSelected("pods", pod.Namespace, pod.Name, pod.Labels) {
			continue
		}
		var names []string
		for j := range pod.Spec.Volumes {
			if v := &pod.Spec.Volumes[j]; claimOf(pod, v) == "" && p.inlineFiles(pod, v) {
				names = append(names, v.Name)
			}
		}
		if len(names) > 0 {
			p.addProblem(report.New(report.VolumeSkipped, "files of its volumes "+strings.Join(names, ", ")+" are not backed up: "+noFiles).
				At("pods", pod.Namespace, pod.Name))
		}
	}
}

func (p *planner) inlineFiles(pod *corev1.Pod, v *corev1.Volume) bool {
	s := subjectOfPod(v)
	if slices.Contains(neverFiles(), s.kind) {
		return false
	}
	if a := p.in.Policies.match(s); a != actionNone {
		return a == actionFiles && pod.Status.Phase == corev1.PodRunning && isMounted(pod, v.Name)
	}
	return p.wantsFiles(pod, v.Name)
}

// AnnotationPodVolumeClaim is where a PodVolumeBackup names the claim.
const AnnotationPodVolumeClaim = "velero.io/pvc-name"
