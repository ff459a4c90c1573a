package change

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

func bindings() []string {
	return []string{"clusterrolebindings.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"}
}

func roles() []string {
	return []string{"clusterroles.rbac.authorization.k8s.io", "roles.rbac.authorization.k8s.io"}
}

// maxBodies bounds the objects of a type whose bodies are read. That many new ones are a new
// installation.
const maxBodies = 200

// readObject decodes an object; the zero value stands for one that is not there.
func readObject[T any](ctx context.Context, read func(context.Context, archive.Key) ([]byte, error), o Object) (T, error) {
	var out T
	k := o.Key
	k.Version = "" // it may have been stored in another
	body, err := read(ctx, k)
	if err != nil || body == nil {
		return out, err
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, fmt.Errorf("decode %s: %w", o.Key, err)
	}
	return out, nil
}

// readBoth decodes an object in its older and in its newer state.
func readBoth[T any](ctx context.Context, r Reader, o Object) (older, newer T, err error) {
	if newer, err = readObject[T](ctx, r.Newer, o); err != nil || o.Change == Added {
		return older, newer, err
	}
	older, err = readObject[T](ctx, r.Older, o)
	return older, newer, err
}

type binding struct {
	RoleRef struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"roleRef"`
	Subjects []subject `json:"subjects"`
}

type subject struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// powers are the subjects that hold more by the binding than anybody should get unnoticed:
// cluster-admin, or any right at all for everybody or for the group that passes every check.
func (b binding) powers() (out []subject) {
	for _, s := range b.Subjects {
		if b.RoleRef.Name == "cluster-admin" || s.isEverybody() {
			out = append(out, s)
		}
	}
	return out
}

func (s subject) isEverybody() bool {
	switch s.Kind {
	case "Group":
		return s.Name == "system:masters" || s.Name == "system:authenticated" || s.Name == "system:unauthenticated" || s.Name == "system:serviceaccounts"
	case "User":
		return s.Name == "system:anonymous"
	}
	return false
}

// newAdministrators finds bindings with subjects that they did not have before. Bindings within
// a namespace count in kube-system only.
func newAdministrators(ctx context.Context, d *Diff, r Reader) (Measure, error) {
	return findWider(ctx, d, r, bindings(), func(older, newer binding) bool {
		before := older.powers()
		return slices.ContainsFunc(newer.powers(), func(s subject) bool {
			return older.RoleRef != newer.RoleRef || !slices.Contains(before, s)
		})
	})
}

type role struct {
	Rules []struct {
		Verbs     []string `json:"verbs"`
		Groups    []string `json:"apiGroups"`
		Resources []string `json:"resources"`
	} `json:"rules"`
}

// powers are what of the role lets its holder do everything, or give himself any right.
func (r role) powers() (out []string) {
	for _, rule := range r.Rules {
		all := func(of []string) bool { return slices.Contains(of, "*") }
		if all(rule.Verbs) && all(rule.Resources) && all(rule.Groups) {
			out = append(out, "everything")
		}
		for _, v := range rule.Verbs {
			if v == "escalate" || v == "bind" || v == "impersonate" {
				out = append(out, v+" "+strings.Join(rule.Resources, ","))
			}
		}
		if slices.Contains(rule.Resources, "secrets") && all(rule.Verbs) {
			out = append(out, "all secrets")
		}
	}
	return out
}

// widenedRoles finds roles with powers that they did not have before.
func widenedRoles(ctx context.Context, d *Diff, r Reader) (Measure, error) {
	return findWider(ctx, d, r, roles(), func(older, newer role) bool {
		before := older.powers()
		return slices.ContainsFunc(newer.powers(), func(p string) bool { return !slices.Contains(before, p) })
	})
}

// findWider finds the added and changed objects of the resources whose newer state allows more.
func findWider[T any](ctx context.Context, d *Diff, r Reader, resources []string, isWider func(older, newer T) bool) (Measure, error) {
	var wider []Object
	for _, resource := range resources {
		all := d.objectsOf(resource, Added, Changed)
		for _, o := range all[:min(len(all), maxBodies)] {
			if o.Namespace != "" && o.Namespace != "kube-system" {
				continue
			}
			older, newer, err := readBoth[T](ctx, r, o)
			if err != nil {
				return Measure{}, err
			}
			if isWider(older, newer) {
				wider = append(wider, o)
			}
		}
	}
	return named(wider), nil
}
