package controlplane

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// podPrefix begins the names of pods, Secrets and NetworkPolicies of control planes.
	podPrefix = "lifeboat-rehearsal-"
	// podSelector finds them, and planeLabel tells one from the other.
	podSelector = "app.kubernetes.io/name=lifeboat-rehearsal"
	planeLabel  = "app.kubernetes.io/instance"
	// Ports on the pod's loopback.
	apiServerPort, etcdPort, etcdPeerPort = 6443, 2379, 2380
	// secretPath and dataPath are where a container has the certificates and the memory.
	secretPath, dataPath = "/rehearsal/certificates", "/rehearsal/data"
	// nobody is a user without rights, as distroless images have it.
	nobody = 65532
	// defaultMemoryLimit is five times what both programs took for a backup of 10,000 objects
	// (docs/DRILLS.md). How far it reaches was not measured.
	defaultMemoryLimit = 2 << 30
)

func podLabels(name string) map[string]string {
	return map[string]string{"app.kubernetes.io/name": "lifeboat-rehearsal", "app.kubernetes.io/managed-by": "lifeboat", planeLabel: name}
}

// policyOf allows the pod nothing in either direction. Port-forward comes by the kubelet, to which
// policies do not apply.
func policyOf(meta metav1.ObjectMeta) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}, ObjectMeta: meta,
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{planeLabel: meta.Name, "app.kubernetes.io/name": "lifeboat-rehearsal"}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		},
	}
}

// secretOf holds the certificates, which are good for one control plane.
func secretOf(meta metav1.ObjectMeta, c credentials) *corev1.Secret {
	yes := true
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: meta, Immutable: &yes,
		Data: map[string][]byte{
			"authority.pem": c.authority, "account.key": c.accountKey, "server.pem": c.server.cert, "server.key": c.server.key,
			"client.pem": c.client.cert, "client.key": c.client.key,
		},
	}
}

func podFiles() files {
	return files{
		data: dataPath + "/etcd", scratch: dataPath + "/apiserver", authority: secretPath + "/authority.pem", accountKey: secretPath + "/account.key",
		serverCert: secretPath + "/server.pem", serverKey: secretPath + "/server.key", clientCert: secretPath + "/client.pem", clientKey: secretPath + "/client.key",
	}
}

// podOf is the pod: no account, no rights, no restart, everything in memory.
func (p *Pods) podOf(meta metav1.ObjectMeta, image string, s Spec) *corev1.Pod {
	no, yes, life, user := false, true, int64(podLife.Seconds()), int64(nobody)
	size := resource.NewQuantity(cmp.Or(p.MemoryLimit, int64(defaultMemoryLimit)), resource.BinarySI)
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta,
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no, ActiveDeadlineSeconds: &life,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, FSGroup: &user,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Volumes: []corev1.Volume{
				{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: size}}},
				{Name: "certificates", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: meta.Name}}},
			},
			Containers: []corev1.Container{
				containerOf("etcd", p.Etcd, size, etcdArguments(podFiles(), etcdPort, etcdPeerPort)),
				containerOf("kube-apiserver", image, size, apiServerArguments(podFiles(), s, apiServerPort, etcdPort)),
			},
		},
	}
	for _, name := range p.PullSecrets {
		pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	return pod
}

func containerOf(program, image string, limit *resource.Quantity, args []string) corev1.Container {
	no, yes := false, true
	return corev1.Container{
		Name: program, Image: image, Command: append([]string{program}, args...),
		Env: []corev1.EnvVar{{Name: "HOME", Value: dataPath}, {Name: "GOGC", Value: "40"}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: *limit},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		VolumeMounts:             []corev1.VolumeMount{{Name: "data", MountPath: dataPath}, {Name: "certificates", MountPath: secretPath, ReadOnly: true}},
	}
}
