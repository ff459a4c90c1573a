package apply

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// decideLive decides about an object of which live is in the cluster. Where the mapping of
// namespaces has changed what an object outside them names, an update must not take it from
// the namespaces that are mapped: they may be beside their copies. Subjects of a binding are
// added, or named where the policy adds none; what can serve one namespace only is left to the
// one it serves.
func (a *applier) decideLive(ctx context.Context, o storedObject, want *desired, live map[string]any) (decision, error) {
	d := a.policy.decide(want, live)
	if d.action != actionPatch && d.action != actionKeepDifferent {
		return d, nil
	}
	sources, err := a.transformer.remappedNames(o, want)
	if err != nil || len(sources) == 0 {
		return d, err
	}
	_, binds := want.object["subjects"].([]any)
	switch {
	case d.action == actionKeepDifferent:
		if lacks := namesOf(want.newSubjects(live)); binds && d.text == "" && lacks != "" {
			d.text = fmt.Sprintf("exists and differs; it does not bind %s, and existingResourcePolicy is none", lacks)
		}
		return d, nil
	case binds:
		return a.policy.decide(want.withSubjectsOf(live), live), nil
	}
	for _, source := range sources {
		_, err := a.service.Kube.Get(ctx, kube.Namespaces(), "", source)
		switch {
		case kube.IsNotFound(err):
			continue
		case err != nil:
			return decision{}, fmt.Errorf("look at namespace %s: %w", source, err)
		}
		text := fmt.Sprintf("exists and differs; it serves namespace %s, which is in the cluster, so it was not pointed at %s", source, a.run.Restore.Spec.NamespaceMapping[source])
		return decision{action: actionKeepDifferent, code: report.ExistsDiffers, text: text, digest: d.digest}, nil
	}
	return d, nil
}

// remappedNames are the mapped namespaces that an object outside them names, as far as the
// mapping has changed it.
func (t *transformer) remappedNames(o storedObject, want *desired) ([]string, error) {
	mapping := t.run.Restore.Spec.NamespaceMapping
	if _, mapped := mapping[o.entry.Namespace]; mapped || len(mapping) == 0 || o.entry.Resource == "namespaces" {
		return nil, nil
	}
	var names []string
	for _, from := range slices.Sorted(maps.Keys(mapping)) {
		if mapping[from] == from || !bytes.Contains(o.body, []byte(from)) {
			continue
		}
		changes, err := t.isChangedBy(o, want, from)
		if err != nil {
			return nil, err
		}
		if changes {
			names = append(names, from)
		}
	}
	return names, nil
}

// isChangedBy tells whether the mapping of one namespace has changed an object.
func (t *transformer) isChangedBy(o storedObject, want *desired, from string) (bool, error) {
	rules, unmapped := *t.rules, map[string]any{}
	rules.NamespaceMapping = maps.Clone(rules.NamespaceMapping)
	delete(rules.NamespaceMapping, from)
	if err := json.Unmarshal(o.body, &unmapped); err != nil {
		return false, fmt.Errorf("decode: %w", err)
	}
	_, err := t.registry.Restore(&rules, o.entry.Resource, unmapped)
	return err == nil && !reflect.DeepEqual(unmapped, want.object), err
}

// newSubjects are the subjects of a binding that the live one has not.
func (w *desired) newSubjects(live map[string]any) (missing []any) {
	have, _ := live["subjects"].([]any)
	all, _ := w.object["subjects"].([]any)
	for _, subject := range all {
		if !slices.ContainsFunc(have, func(s any) bool { return compare.Same(s, subject) }) {
			missing = append(missing, subject)
		}
	}
	return missing
}

// withSubjectsOf is a binding that has the subjects of the live one as well.
func (w *desired) withSubjectsOf(live map[string]any) *desired {
	merged := *w
	merged.object = maps.Clone(w.object)
	have, _ := live["subjects"].([]any)
	merged.object["subjects"] = slices.Concat(have, w.newSubjects(live))
	return &merged
}

// namesOf names subjects as a person would.
func namesOf(subjects []any) string {
	var names []string
	for _, s := range subjects {
		subject, _ := s.(map[string]any)
		name := fmt.Sprint(subject["name"])
		if namespace, of := subject["namespace"].(string); of {
			name = namespace + "/" + name
		}
		names = append(names, fmt.Sprintf("%v %s", subject["kind"], name))
	}
	return strings.Join(names, ", ")
}
