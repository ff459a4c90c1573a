package readiness

import (
	corev1 "k8s.io/api/core/v1"
	kuberesource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// partRead says of a pod that it reads a volume: the value of contract.DrillPartLabel.
const partRead = "read"

// readContainer is the container that reads, in a pod that may get others beside it.
const readContainer = "read"

// mountPath is where a pod that reads has the volume.
const mountPath = "/volume"

// nobody is a user without rights, and its group.
const nobody = int64(65534)

// readerName follows from the claim, so that a repetition finds the pod.
func readerName(claim string) string { return resource.LabelValue("lifeboat-read-" + claim) }

// mountedClaims are the pods that mount a claim, by its name.
func mountedClaims(pods []corev1.Pod) map[string][]*corev1.Pod {
	all := map[string][]*corev1.Pod{}
	for i := range pods {
		for _, v := range pods[i].Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				all[v.PersistentVolumeClaim.ClaimName] = append(all[v.PersistentVolumeClaim.ClaimName], &pods[i])
			}
		}
	}
	return all
}

// mounterOf is a pod that is on a node and uses its volumes there, nil if there is none.
func mounterOf(pods []*corev1.Pod) *corev1.Pod {
	for _, p := range pods {
		if p.Spec.NodeName != "" && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			return p
		}
	}
	return nil
}

// readerPod reads a claim beside the pods that mount it: on their node, since most volumes are on
// one at a time, and as their user, who may read what the application reads. It cannot write.
func readerPod(c *corev1.PersistentVolumeClaim, by []*corev1.Pod, isRestricted bool) *corev1.Pod {
	no, yes, none := false, true, int64(0)
	const name = "volume"
	spec := corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no, TerminationGracePeriodSeconds: &none,
		SecurityContext: &corev1.PodSecurityContext{},
		Volumes:         []corev1.Volume{{Name: name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c.Name}}}},
		Containers: []corev1.Container{{
			Name: readContainer, Command: []string{"/lifeboat-worker", "--read-volume", mountPath}, TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			VolumeMounts: []corev1.VolumeMount{{Name: name, MountPath: mountPath, ReadOnly: true}},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: kuberesource.MustParse("50m"), corev1.ResourceMemory: kuberesource.MustParse("64Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceCPU: kuberesource.MustParse("1"), corev1.ResourceMemory: kuberesource.MustParse("512Mi")},
			},
		}},
	}
	if len(by) > 0 {
		copyIdentity(&spec, by[0], c.Name)
	}
	if at := mounterOf(by); at != nil {
		stayBeside(&spec, at)
	}
	setUser(&spec, isRestricted)
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace}, Spec: spec,
	}
}

// leaverName is the pod that tries to leave a namespace in which none reads.
const leaverName = "lifeboat-leave"

// leaverPod reads a volume of its own, which is empty.
func leaverPod(namespace string) *corev1.Pod {
	pod := readerPod(&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}, nil, true)
	pod.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	return pod
}

// copyIdentity takes over as whom, and with which labels of SELinux, a pod uses a claim.
func copyIdentity(spec *corev1.PodSpec, from *corev1.Pod, claim string) {
	if from.Spec.SecurityContext != nil {
		spec.SecurityContext = from.Spec.SecurityContext.DeepCopy()
		spec.SecurityContext.Sysctls = nil
	}
	for _, v := range from.Spec.Volumes {
		if v.PersistentVolumeClaim == nil || v.PersistentVolumeClaim.ClaimName != claim {
			continue
		}
		for _, c := range from.Spec.Containers {
			for _, m := range c.VolumeMounts {
				if m.Name == v.Name && c.SecurityContext != nil {
					to := spec.Containers[0].SecurityContext
					to.RunAsUser, to.RunAsGroup, to.RunAsNonRoot = c.SecurityContext.RunAsUser, c.SecurityContext.RunAsGroup, c.SecurityContext.RunAsNonRoot
					to.SELinuxOptions = c.SecurityContext.SELinuxOptions
					return
				}
			}
		}
	}
}

// stayBeside has a pod run on the node of another, whatever keeps others off it.
func stayBeside(spec *corev1.PodSpec, other *corev1.Pod) {
	spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{
			Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{other.Spec.NodeName},
		}}}},
	}}}
}

// setUser names a user where the pod that mounts the claim leaves it to its image: root, who
// reads everything, unless that is not to be.
func setUser(spec *corev1.PodSpec, isRestricted bool) {
	pod, container := spec.SecurityContext, spec.Containers[0].SecurityContext
	if pod.SeccompProfile == nil {
		pod.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	isSet := func(p *bool) bool { return p != nil && *p }
	user, yes := nobody, true
	switch {
	case pod.RunAsUser != nil || container.RunAsUser != nil:
	case isSet(pod.RunAsNonRoot) || isSet(container.RunAsNonRoot):
		container.RunAsUser = &user
	case isRestricted:
		container.RunAsUser, container.RunAsNonRoot, pod.FSGroup = &user, &yes, &user
	default:
		root := int64(0)
		container.RunAsUser = &root
	}
	if u := container.RunAsUser; u != nil && *u == 0 || u == nil && pod.RunAsUser != nil && *pod.RunAsUser == 0 {
		container.Capabilities.Add = []corev1.Capability{"DAC_OVERRIDE"} // files of others, too
	}
}
