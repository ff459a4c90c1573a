package reference

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// checkFunc looks at what one object names.
type checkFunc func(c *Checker, k archive.Key, body []byte) error

const (
	clusterRoles   = "clusterroles.rbac.authorization.k8s.io"
	roles          = "roles.rbac.authorization.k8s.io"
	storageClasses = "storageclasses.storage.k8s.io"
)

// kinds are the types that name others.
func kinds() map[string]checkFunc {
	return map[string]checkFunc{
		"pods":                   checkPod,
		"deployments.apps":       checkWorkload,
		"daemonsets.apps":        checkWorkload,
		"replicasets.apps":       checkWorkload,
		"replicationcontrollers": checkWorkload,
		"jobs.batch":             checkWorkload,
		"statefulsets.apps":      checkStatefulSet,
		"cronjobs.batch":         checkCronJob,

		"persistentvolumeclaims":                  checkClaim,
		"serviceaccounts":                         checkServiceAccount,
		"resourcequotas":                          checkQuota,
		"horizontalpodautoscalers.autoscaling":    checkAutoscaler,
		"ingresses.networking.k8s.io":             checkIngress,
		"volumesnapshots.snapshot.storage.k8s.io": checkSnapshot,

		"rolebindings.rbac.authorization.k8s.io":        checkBinding,
		"clusterrolebindings.rbac.authorization.k8s.io": checkBinding,

		"services":                           noteService,
		"apiservices.apiregistration.k8s.io": checkAPIService,
		"customresourcedefinitions.apiextensions.k8s.io":                 checkDefinitionBackend,
		"validatingwebhookconfigurations.admissionregistration.k8s.io":   checkWebhooks,
		"mutatingwebhookconfigurations.admissionregistration.k8s.io":     checkWebhooks,
		"validatingadmissionpolicybindings.admissionregistration.k8s.io": checkPolicyBinding("validatingadmissionpolicies.admissionregistration.k8s.io"),
		"mutatingadmissionpolicybindings.admissionregistration.k8s.io":   checkPolicyBinding("mutatingadmissionpolicies.admissionregistration.k8s.io"),
	}
}

func checkPod(c *Checker, k archive.Key, body []byte) error {
	var pod corev1.Pod
	if err := json.Unmarshal(body, &pod); err != nil {
		return err
	}
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil // it is not restored
	}
	c.checkPodSpec(k, pod.Labels, &pod.Spec)
	return nil
}

func checkWorkload(c *Checker, k archive.Key, body []byte) error {
	var w struct {
		Spec struct{ Template *corev1.PodTemplateSpec }
	}
	if err := json.Unmarshal(body, &w); err != nil || w.Spec.Template == nil {
		return err
	}
	c.checkPodSpec(k, w.Spec.Template.Labels, &w.Spec.Template.Spec)
	return nil
}

func checkCronJob(c *Checker, k archive.Key, body []byte) error {
	var w struct {
		Spec struct {
			JobTemplate struct {
				Spec struct{ Template corev1.PodTemplateSpec }
			}
		}
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return err
	}
	t := &w.Spec.JobTemplate.Spec.Template
	c.checkPodSpec(k, t.Labels, &t.Spec)
	return nil
}

func checkStatefulSet(c *Checker, k archive.Key, body []byte) error {
	var w struct {
		Spec struct {
			ServiceName          string
			VolumeClaimTemplates []corev1.PersistentVolumeClaim
		}
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return err
	}
	c.need(k, Missing, "services", k.Namespace, w.Spec.ServiceName)
	for i := range w.Spec.VolumeClaimTemplates {
		c.needClass(k, w.Spec.VolumeClaimTemplates[i].Spec.StorageClassName)
	}
	return checkWorkload(c, k, body)
}

// checkPodSpec looks at all that keeps a pod from starting if it is not there.
func (c *Checker) checkPodSpec(k archive.Key, labels map[string]string, spec *corev1.PodSpec) {
	c.noteLabels(k.Namespace, labels)
	c.need(k, Missing, "serviceaccounts", k.Namespace, spec.ServiceAccountName)
	c.need(k, Missing, "priorityclasses.scheduling.k8s.io", "", spec.PriorityClassName)
	if spec.RuntimeClassName != nil {
		c.need(k, Missing, "runtimeclasses.node.k8s.io", "", *spec.RuntimeClassName)
	}
	for _, s := range spec.ImagePullSecrets {
		c.need(k, Missing, "secrets", k.Namespace, s.Name)
	}
	for i := range spec.Volumes {
		c.checkVolume(k, &spec.Volumes[i])
	}
	for _, all := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range all {
			c.checkEnvironment(k, &all[i])
		}
	}
}

func (c *Checker) checkVolume(k archive.Key, v *corev1.Volume) {
	switch {
	case v.ConfigMap != nil:
		c.needUnless(v.ConfigMap.Optional, k, "configmaps", v.ConfigMap.Name)
	case v.Secret != nil:
		c.needUnless(v.Secret.Optional, k, "secrets", v.Secret.SecretName)
	case v.PersistentVolumeClaim != nil:
		c.need(k, Missing, resource.PersistentVolumeClaims, k.Namespace, v.PersistentVolumeClaim.ClaimName)
	case v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil:
		c.needClass(k, v.Ephemeral.VolumeClaimTemplate.Spec.StorageClassName)
	case v.Projected != nil:
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil {
				c.needUnless(s.ConfigMap.Optional, k, "configmaps", s.ConfigMap.Name)
			}
			if s.Secret != nil {
				c.needUnless(s.Secret.Optional, k, "secrets", s.Secret.Name)
			}
		}
	}
}

func (c *Checker) checkEnvironment(k archive.Key, container *corev1.Container) {
	for _, f := range container.EnvFrom {
		if f.ConfigMapRef != nil {
			c.needUnless(f.ConfigMapRef.Optional, k, "configmaps", f.ConfigMapRef.Name)
		}
		if f.SecretRef != nil {
			c.needUnless(f.SecretRef.Optional, k, "secrets", f.SecretRef.Name)
		}
	}
	for _, e := range container.Env {
		if e.ValueFrom == nil {
			continue
		}
		if r := e.ValueFrom.ConfigMapKeyRef; r != nil {
			c.needUnless(r.Optional, k, "configmaps", r.Name)
		}
		if r := e.ValueFrom.SecretKeyRef; r != nil {
			c.needUnless(r.Optional, k, "secrets", r.Name)
		}
	}
}

// needUnless is need of an object in the namespace of k, unless it may be missing.
func (c *Checker) needUnless(optional *bool, k archive.Key, gr, name string) {
	if optional == nil || !*optional {
		c.need(k, Missing, gr, k.Namespace, name)
	}
}

func (c *Checker) needClass(k archive.Key, class *string) {
	if class != nil {
		c.need(k, Missing, storageClasses, "", *class)
	}
}
