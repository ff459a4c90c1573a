package restore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/modify"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// Labels of the ConfigMaps by which Velero's restore actions are configured.
const (
	LabelPlugin       = "velero.io/plugin-config"
	LabelClassMapping = "velero.io/change-storage-class"
	LabelImageMapping = "velero.io/change-image-name"
	LabelNodeMapping  = "velero.io/change-pvc-node-selector"
	RestoreItemAction = "RestoreItemAction"
)

// Ambiguous says that there is more than one ConfigMap of a label. It is "" if there is one or
// none.
func Ambiguous(what, label string, found []corev1.ConfigMap) string {
	if len(found) < 2 {
		return ""
	}
	names := make([]string, len(found))
	for i := range found {
		names[i] = found[i].Name
	}
	return fmt.Sprintf("the %s mapping is ambiguous: namespace %s has %d ConfigMaps with the label %s (%s); keep one", what, found[0].Namespace, len(found), label, strings.Join(names, ", "))
}

// Changes are the changes of restored objects that ConfigMaps ask for. They are read once,
// when the restore is opened, and kept in its staging.
type Changes struct {
	// Modifiers is the YAML of the resource modifiers that the spec names, checked.
	Modifiers string `json:"modifiers,omitempty"`
	// Images are the mappings of the ConfigMap with the label velero.io/change-image-name.
	Images []resource.ImageMapping `json:"images,omitempty"`
}

// readChanges reads the ConfigMap of resource modifiers that ref names, if it is not nil, and
// the mapping of images.
func (r *Service) readChanges(ctx context.Context, ref *corev1.TypedLocalObjectReference) (c Changes, err error) {
	if c.Images, err = r.readImageMappings(ctx); err != nil || ref == nil {
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

// readImageMappings reads the mapping of images, which is there without being named.
func (r *Service) readImageMappings(ctx context.Context) ([]resource.ImageMapping, error) {
	var found []corev1.ConfigMap
	err := kube.List(ctx, r.Kube, kube.ConfigMaps(), r.Config.Namespace, LabelPlugin+","+LabelImageMapping+"="+RestoreItemAction, func(c corev1.ConfigMap) error {
		found = append(found, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the image mapping: %w", err)
	}
	if text := Ambiguous("image", LabelImageMapping, found); text != "" {
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

// Apply hands the changes to the rules of package resource, which make them.
func (c *Changes) Apply(to *resource.Context) error {
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

// unmetRules warns of each resource modifier that met no object of a restore, which may be a
// type that is written wrongly. Kinds are those of the restore's objects by type. A dry run
// does not tell which namespaces the restore would make on its way.
func (s *Run) unmetRules(met map[int]bool, kinds map[string]string) (out []report.Reason, err error) {
	if s.Changes.Modifiers == "" {
		return nil, nil
	}
	rules, err := modify.Parse(s.Changes.Modifiers)
	if err != nil {
		return nil, fmt.Errorf("read resource modifiers again: %w", err)
	}
	for _, rule := range rules.Unmet(met) {
		if s.Restore.DryRun && rule.IsFor("namespaces") {
			continue
		}
		text := fmt.Sprintf("%s, for %s, met no object of this restore", rule.Path, rule.GroupResource)
		if types := similarTypes(rule.GroupResource, kinds); len(types) > 0 {
			text += "; it has objects of " + strings.Join(types, " and ")
		}
		out = append(out, report.New(report.ModifierUnused, text))
	}
	return out, nil
}

// similarTypes are the types that somebody may have meant who wrote another one: of the same
// plural in any group, or of that kind.
func similarTypes(written string, kinds map[string]string) (out []string) {
	name, _, _ := strings.Cut(written, ".")
	for gr, kind := range kinds {
		plural, _, _ := strings.Cut(gr, ".")
		if gr != written && (strings.EqualFold(name, plural) || strings.EqualFold(name, kind)) {
			out = append(out, gr)
		}
	}
	slices.Sort(out)
	return out
}
