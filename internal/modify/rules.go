package modify

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// Rules are the rules of one ConfigMap. They are immutable and safe for concurrent use.
type Rules struct{ rules []rule }

type rule struct {
	path      string // of the rule in the ConfigMap
	condition condition
	patch     patcher
}

// patcher makes one rule's object of another, which it may change.
type patcher interface {
	apply(obj map[string]any) (map[string]any, error)
}

// Apply is the object as the rules make it, and one error for each rule that failed and
// so changed nothing. The argument, an object of type "plural.group" in its namespace in
// the backup, is not changed; where no rule is for it, it is the result.
func (r *Rules) Apply(gr string, obj map[string]any) (map[string]any, []error) {
	var errs []error
	var origin, out map[string]any
	for i := range r.rules {
		rule := &r.rules[i]
		if !rule.condition.matchesObject(gr, obj) {
			continue
		}
		if origin == nil {
			var err error
			if origin, err = copyAsJSON(obj); err != nil {
				return obj, []error{err}
			}
			out = origin
		}
		next, err := rule.apply(origin, out)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s", rule.path, filter.ShortenText(err.Error())))
			continue
		}
		out = next
	}
	if origin == nil {
		return obj, nil
	}
	return out, errs
}

// apply is the object after this rule: the one before if its conditions do not hold of
// the origin.
func (r *rule) apply(origin, before map[string]any) (map[string]any, error) {
	ok, err := r.condition.matchesFields(origin)
	if err != nil || !ok {
		return before, err
	}
	after, err := r.patch.apply(runtime.DeepCopyJSON(before))
	if errors.Is(err, errTest) {
		return before, nil
	}
	if err != nil {
		return nil, err
	}
	return after, checkIdentity(before, after)
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
		if !resource.Same(f.was, f.is) {
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
