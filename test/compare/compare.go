// Package compare takes a cluster's objects, normalised, and says how two takings
// differ. It is how tests and the demo tell that a restore brought back what was
// there: every object, field by field, except for what no restore can keep.
package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// State is the objects of a cluster by "resource namespace/name", normalised.
type State map[string]map[string]any

// Take lists every type and keeps the objects that keep says yes to. Types that a
// cluster makes for itself (see Transient) are left out.
func Take(ctx context.Context, c *kube.Client, keep func(resource, namespace, name string) bool) (State, error) {
	cat, err := c.Discover(ctx)
	if err != nil {
		return nil, err
	}
	s := State{}
	for _, r := range cat.Resources {
		gr := r.GroupResource()
		if !r.Can("list", "create", "get", "delete") || Transient(gr) {
			continue
		}
		_, err := c.ListAll(ctx, kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: r}}, func(it kube.Item) error {
			if it.Deleting || !keep(gr, it.Namespace, it.Name) {
				return nil
			}
			return s.add(gr, it)
		})
		if err != nil {
			return nil, fmt.Errorf("take %s: %w", gr, err)
		}
	}
	return s, nil
}

func (s State) add(gr string, it kube.Item) error {
	var obj map[string]any
	if err := json.Unmarshal(it.Raw, &obj); err != nil {
		return err
	}
	if Remade(gr, obj) {
		return nil
	}
	Normalise(gr, obj)
	s[gr+" "+it.Namespace+"/"+it.Name] = obj
	return nil
}

// Diff says in one line each what is missing, extra or different in b; empty means
// identical.
func Diff(a, b State) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(a)) {
		other, ok := b[key]
		switch {
		case !ok:
			out = append(out, "missing: "+key)
		case !reflect.DeepEqual(a[key], other):
			out = append(out, fields(key, "", a[key], other)...)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[key]; !ok {
			out = append(out, "extra: "+key)
		}
	}
	return out
}

// fields names the paths in which two values differ.
func fields(key, path string, a, b any) []string {
	x, xok := a.(map[string]any)
	y, yok := b.(map[string]any)
	if !xok || !yok {
		return []string{fmt.Sprintf("changed: %s%s: %.120v, was %.120v", key, path, b, a)}
	}
	var out []string
	names := maps.Clone(x)
	maps.Copy(names, y)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(x[name], y[name]) {
			out = append(out, fields(key, path+"."+name, x[name], y[name])...)
		}
	}
	return out
}

// Kinds counts the types in a state.
func (s State) Kinds() int {
	kinds := map[any]bool{}
	for _, obj := range s {
		kinds[fmt.Sprint(obj["apiVersion"], obj["kind"])] = true
	}
	return len(kinds)
}
