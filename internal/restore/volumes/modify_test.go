package volumes

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

const classRules = `
version: v1
resourceModifierRules:
- conditions: {groupResource: persistentvolumeclaims, namespaces: [shop], matches: [{path: /spec/storageClassName, value: gp2}]}
  patches: [{operation: replace, path: /spec/storageClassName, value: gp3}]
- conditions: {groupResource: persistentvolumeclaims, resourceNameRegex: ^strategic$}
  strategicPatches: [{patchData: "spec: {storageClassName: io2}"}]
- conditions: {groupResource: persistentvolumeclaims, resourceNameRegex: ^beta$}
  patches: [{operation: replace, path: /metadata/annotations/volume.beta.kubernetes.io~1storage-class, value: fast}]
- conditions: {groupResource: persistentvolumeclaims, resourceNameRegex: ^broken$}
  mergePatches: [{patchData: "spec: nothing"}]
`

// TestModifiedClass: the plan looks at the storage class that a claim will have, not at
// the one it had.
func TestModifiedClass(t *testing.T) {
	for name, tc := range map[string]struct{ namespace, mapped, want string }{
		"data":      {"shop", "gp2", "gp3"},
		"mapped":    {"shop", "other", "other"},
		"elsewhere": {"office", "gp2", "gp2"},
		"strategic": {"office", "gp2", "io2"},
		"beta":      {"office", "gp2", "fast"},
		"broken":    {"office", "gp2", "gp2"},
	} {
		old := "old"
		claim := &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &old}}
		claim.Name, claim.Namespace = name, tc.namespace
		if name == "beta" {
			claim.Annotations = map[string]string{corev1.BetaStorageClassAnnotation: old}
		}
		p := planner{}
		if got := p.modifiedClass(claim, tc.mapped); got != tc.mapped {
			t.Errorf("%s without modifiers: %s", name, got)
		}
		if err := (&restore.Changes{Modifiers: classRules}).Apply(&p.changes); err != nil {
			t.Fatal(err)
		}
		if got := p.modifiedClass(claim, tc.mapped); got != tc.want || *claim.Spec.StorageClassName != old {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
		if got := p.modifiedClass(nil, "gp2"); got != "gp2" {
			t.Errorf("no claim: %s", got)
		}
	}
}

func TestAmbiguousMapping(t *testing.T) {
	one := corev1.ConfigMap{}
	one.Namespace, one.Name = "velero", "one"
	if text := restore.Ambiguous("image", restore.LabelImageMapping, []corev1.ConfigMap{one}); text != "" {
		t.Error(text)
	}
	two := one
	two.Name = "two"
	want := "the image mapping is ambiguous: namespace velero has 2 ConfigMaps with the label velero.io/change-image-name (one, two); keep one"
	if text := restore.Ambiguous("image", restore.LabelImageMapping, []corev1.ConfigMap{one, two}); text != want {
		t.Error(text)
	}
}

// TestChangesWithoutModifiers leave the rules as they are.
func TestChangesWithoutModifiers(t *testing.T) {
	images := []resource.ImageMapping{{Old: "a", New: "b"}}
	var c resource.Context
	if err := (&restore.Changes{Images: images}).Apply(&c); err != nil || c.Modify != nil || len(c.Images) != 1 {
		t.Errorf("%v %+v", err, c)
	}
	if err := (&restore.Changes{Modifiers: "version: v9"}).Apply(&c); err == nil {
		t.Error("rules of another version")
	}
}
