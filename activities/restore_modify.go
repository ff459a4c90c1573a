package activities

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/modify"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// changes are what ConfigMaps want changed of restored objects. They are read once, when
// the restore is opened, and kept in its staging.
type changes struct {
	// Modifiers is the YAML of the resource modifiers that the spec names, checked.
	Modifiers string `json:"modifiers,omitempty"`
	// Images are those of the ConfigMap for Velero's velero.io/change-image-name.
	Images []resource.ImageMapping `json:"images,omitempty"`
}

func (r *Restore) changes(ctx context.Context, ref *corev1.TypedLocalObjectReference) (c changes, err error) {
	if c.Images, err = r.images(ctx); err != nil || ref == nil {
		return c, err
	}
	cm, err := kube.Read[corev1.ConfigMap](ctx, r.Kube, kube.ConfigMaps(), r.Config.Namespace, ref.Name)
	if kube.IsNotFound(err) {
		return c, failure.Invalid("spec.resourceModifier.name: there is no ConfigMap %s in namespace %s; create it there or correct the name", ref.Name, r.Config.Namespace)
	}
	if err != nil {
		return c, fmt.Errorf("read resource modifiers: %w", err)
	}
	if c.Modifiers, err = modify.Text(&cm); err == nil {
		_, err = modify.Parse(c.Modifiers)
	}
	if err != nil {
		return c, failure.Invalid("spec.resourceModifier: ConfigMap %s/%s: %w", cm.Namespace, cm.Name, err)
	}
	return c, nil
}

// images reads the mapping of images.
func (r *Restore) images(ctx context.Context) ([]resource.ImageMapping, error) {
	var found []corev1.ConfigMap
	err := kube.List(ctx, r.Kube, kube.ConfigMaps(), r.Config.Namespace, labelPlugin+","+labelImageMapping+"="+restoreItemAction, func(c corev1.ConfigMap) error {
		found = append(found, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the image mapping: %w", err)
	}
	if text := ambiguous("image", labelImageMapping, found); text != "" {
		return nil, failure.Invalid("%s", text)
	}
	if len(found) == 0 {
		return nil, nil
	}
	out, err := resource.ImageMappings(found[0].Data)
	if err != nil {
		return nil, failure.Invalid("ConfigMap %s/%s: %w", found[0].Namespace, found[0].Name, err)
	}
	return out, nil
}

// apply has the rules of package resource make the changes.
func (c *changes) apply(to *resource.Context) error {
	to.Images = c.Images
	if c.Modifiers == "" {
		return nil
	}
	rules, err := modify.Parse(c.Modifiers)
	if err != nil {
		return fmt.Errorf("read resource modifiers again: %w", err)
	}
	to.Modify = rules.Apply
	return nil
}

// modifiedClass is the storage class that resource modifiers give a claim which would
// have this one. That a modifier fails is told when the claim is restored.
func (p *volumePlanner) modifiedClass(claim *corev1.PersistentVolumeClaim, class string) string {
	if claim == nil || p.changes.Modify == nil {
		return class
	}
	obj, err := runtime.DefaultUnstructuredConverter.ToUnstructured(named(claim, class))
	if err != nil {
		return class
	}
	modified, _ := p.changes.Modify(resource.PersistentVolumeClaims, obj)
	var out corev1.PersistentVolumeClaim
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(modified, &out); err != nil {
		return class
	}
	return classOf(&out)
}

// named is a copy of a claim whose storage class is another, if it names one.
func named(claim *corev1.PersistentVolumeClaim, class string) *corev1.PersistentVolumeClaim {
	out := claim.DeepCopy()
	out.APIVersion, out.Kind = "v1", "PersistentVolumeClaim" // a list leaves them out
	out.Status = corev1.PersistentVolumeClaimStatus{}
	if out.Annotations[corev1.BetaStorageClassAnnotation] != "" {
		out.Annotations[corev1.BetaStorageClassAnnotation] = class
	}
	if s := out.Spec.StorageClassName; s != nil && *s != "" {
		*s = class
	}
	return out
}
