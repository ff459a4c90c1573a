package modify

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// Rules are the rules of one ConfigMap. They are immutable and safe for concurrent use.
type Rules struct{ rules []rule }

type rule struct {
	path      string // of the rule in the ConfigMap
	condition condition
	patch     patcher
}

// patcher makes one rule's object of another, which it may change. The origin says what the
// object had before the rules of kinds.
type patcher interface {
	apply(obj, origin map[string]any) (map[string]any, error)
}

// Apply is the object, of type "plural.group", as the rules make it of what the rules of
// kinds have left of it, and one error for each rule that failed and so changed nothing.
// Stored is the object as it is in the backup. No argument is changed; where no rule is for
// the object, it is the result.
func (r *Rules) Apply(gr string, stored, obj map[string]any) resource.Modified {
	out := resource.Modified{Object: obj}
	var origin map[string]any
	for i := range r.rules {
		rule := &r.rules[i]
		if !rule.condition.matchesObject(gr, stored) {
			continue
		}
		if origin == nil {
			var err error
			if origin, out.Object, err = originOf(stored, obj); err != nil {
				return resource.Modified{Object: obj, Errors: []error{err}}
			}
		}
		next, met, err := rule.apply(origin, out.Object)
		if met {
			out.Rules = append(out.Rules, i)
		}
		if err != nil {
			out.Errors = append(out.Errors, fmt.Errorf("%s: %s", rule.path, filter.ShortenText(err.Error())))
			continue
		}
		out.Object = next
	}
	return out
}

// originOf is what conditions look at, the object with what the rules of kinds took from it,
// and a copy of the object.
func originOf(stored, obj map[string]any) (origin, out map[string]any, err error) {
	if out, err = copyAsJSON(obj); err != nil {
		return nil, nil, err
	}
	origin = Merge(stored, out)
	meta, _ := origin["metadata"].(map[string]any)
	was, _ := stored["metadata"].(map[string]any)
	if finalizers, ok := was["finalizers"]; ok && meta != nil {
		meta["finalizers"] = finalizers // those that were kept do not take the place of all
	}
	return origin, out, nil
}

// apply is the object after this rule: the one before if its conditions do not hold of
// the origin, and then the object is not met.
func (r *rule) apply(origin, before map[string]any) (after map[string]any, met bool, err error) {
	ok, err := r.condition.matchesFields(origin)
	if err != nil || !ok {
		return before, err != nil, err
	}
	after, err = r.patch.apply(runtime.DeepCopyJSON(before), origin)
	if errors.Is(err, errTest) {
		return before, true, nil
	}
	if err != nil {
		return nil, true, err
	}
	return after, true, checkIdentity(before, after)
}

// RuleName says which rule of a ConfigMap one is: by its path there, and by the type that it
// is for, as it is written.
type RuleName struct {
	Path, GroupResource string
	// IsFor says whether it is for a type, "plural.group".
	IsFor func(gr string) bool
}

// Unmet are the rules whose positions are not among those that met an object.
func (r *Rules) Unmet(met map[int]bool) (out []RuleName) {
	for i := range r.rules {
		if !met[i] {
			c := &r.rules[i].condition
			out = append(out, RuleName{r.rules[i].path, c.groupResource, c.resource.MatchString})
		}
	}
	return out
}

// checkIdentity refuses what would make another object of it: one that the backup's index,
// the plan and the references of others do not know.
func checkIdentity(before, after map[string]any) error {
	was, _ := before["metadata"].(map[string]any)
	is, ok := after["metadata"].(map[string]any)
	if !ok {
		return errors.New("takes the object's metadata away")
	}
	for _, f := range []struct {
		path, instead string
		was, is       any
	}{
		{"apiVersion", "", before["apiVersion"], after["apiVersion"]},
		{"kind", "", before["kind"], after["kind"]},
		{"metadata.name", "", was["name"], is["name"]},
		{"metadata.namespace", ": use the restore's namespaceMapping", was["namespace"], is["namespace"]},
	} {
		if !compare.Same(f.was, f.is) {
			return fmt.Errorf("changes %s, which has to stay as it is%s", f.path, f.instead)
		}
	}
	return nil
}

// copyAsJSON copies an object into maps, lists, texts, numbers and truths and nothing else.
func copyAsJSON(obj map[string]any) (map[string]any, error) {
	body, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("encode the object: %w", err)
	}
	var out map[string]any
	return out, json.Unmarshal(body, &out)
}
