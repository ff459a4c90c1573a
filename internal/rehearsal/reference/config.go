package reference

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

func checkClaim(c *Checker, k archive.Key, body []byte) error {
	var claim corev1.PersistentVolumeClaim
	if err := json.Unmarshal(body, &claim); err != nil {
		return err
	}
	c.needClass(k, claim.Spec.StorageClassName)
	return nil
}

func checkServiceAccount(c *Checker, k archive.Key, body []byte) error {
	var account corev1.ServiceAccount
	if err := json.Unmarshal(body, &account); err != nil {
		return err
	}
	for _, s := range account.ImagePullSecrets {
		c.need(k, Missing, "secrets", k.Namespace, s.Name)
	}
	return nil
}

// checkQuota finds a quota that is smaller than what it had admitted.
func checkQuota(c *Checker, k archive.Key, body []byte) error {
	var quota corev1.ResourceQuota
	if err := json.Unmarshal(body, &quota); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(quota.Spec.Hard)) {
		hard := quota.Spec.Hard[name]
		used, counted := quota.Status.Used[name]
		if counted && used.Cmp(hard) > 0 {
			text := fmt.Sprintf("allows %s of %s, of which %s were used", hard.String(), name, used.String())
			c.found = append(c.found, New(QuotaTooSmall, text).At(k.Resource, k.Namespace, k.Name))
		}
	}
	return nil
}

func checkAutoscaler(c *Checker, k archive.Key, body []byte) error {
	var scaler struct {
		Spec struct {
			ScaleTargetRef struct{ APIVersion, Kind, Name string }
		}
	}
	if err := json.Unmarshal(body, &scaler); err != nil {
		return err
	}
	if target := scaler.Spec.ScaleTargetRef; ownerType(target.APIVersion, target.Kind) != "" {
		c.need(k, Missing, ownerType(target.APIVersion, target.Kind), k.Namespace, target.Name)
	}
	return nil
}

func checkIngress(c *Checker, k archive.Key, body []byte) error {
	var ingress networkingv1.Ingress
	if err := json.Unmarshal(body, &ingress); err != nil {
		return err
	}
	if class := ingress.Spec.IngressClassName; class != nil {
		c.need(k, Missing, "ingressclasses.networking.k8s.io", "", *class)
	}
	for _, t := range ingress.Spec.TLS {
		c.need(k, Missing, "secrets", k.Namespace, t.SecretName)
	}
	c.needBackend(k, ingress.Spec.DefaultBackend)
	for _, r := range ingress.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		for i := range r.HTTP.Paths {
			c.needBackend(k, &r.HTTP.Paths[i].Backend)
		}
	}
	return nil
}

func (c *Checker) needBackend(k archive.Key, b *networkingv1.IngressBackend) {
	// The load balancer controller of AWS takes actions for Services: their port is a word.
	if b != nil && b.Service != nil && b.Service.Port.Name != "use-annotation" {
		c.need(k, Missing, "services", k.Namespace, b.Service.Name)
	}
}

func checkSnapshot(c *Checker, k archive.Key, body []byte) error {
	var snapshot struct {
		Spec struct{ VolumeSnapshotClassName string }
	}
	if err := json.Unmarshal(body, &snapshot); err != nil {
		return err
	}
	c.need(k, Missing, resource.VolumeSnapshotClasses, "", snapshot.Spec.VolumeSnapshotClassName)
	return nil
}
