package volume

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// policyReader reads YAML nodes and collects what is wrong with them. An absent
// node, and null, read as nothing.
type policyReader struct{ problems filter.Problems }

// under is the path of a map's value.
func under(path, key string) string {
	switch {
	case key == "":
		key = `""`
	case path == "":
		return key
	}
	return path + "." + key
}

// there follows aliases; nil is nothing.
func there(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || n.Kind == 0 || n.Tag == "!!null" {
		return nil
	}
	return n
}

// fields are the values of a map that may have the known keys only.
func (r *policyReader) fields(n *yaml.Node, path string, known ...string) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	for _, p := range r.pairs(n, path) {
		at := under(path, p.key)
		if !slices.Contains(known, p.key) {
			r.problems.Add(at, "is no field of resource policies: use one of %s", strings.Join(known, ", "))
			continue
		}
		out[p.key] = there(p.value)
	}
	return out
}

type pair struct {
	key   string
	value *yaml.Node
}

// pairs are the entries of a map, in order, each key once.
func (r *policyReader) pairs(n *yaml.Node, path string) []pair {
	n = there(n)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.problems.Add(orRoot(path), "is not a map")
		return nil
	}
	var out []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := r.text(n.Content[i], path+" (a key)")
		if slices.ContainsFunc(out, func(p pair) bool { return p.key == key }) {
			r.problems.Add(under(path, key), "stands there twice: remove one")
			continue
		}
		out = append(out, pair{key, n.Content[i+1]})
	}
	return out
}

func orRoot(path string) string {
	if path == "" {
		return "policies"
	}
	return path
}

// text is a scalar as it is written: true and 1 are texts too.
func (r *policyReader) text(n *yaml.Node, path string) string {
	n = there(n)
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		r.problems.Add(path, "is not a text")
		return ""
	}
	return n.Value
}

func (r *policyReader) items(n *yaml.Node, path string) []*yaml.Node {
	n = there(n)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.problems.Add(path, "is not a list")
		return nil
	}
	return n.Content
}

func (r *policyReader) texts(n *yaml.Node, path string) []string {
	var out []string
	for i, item := range r.items(n, path) {
		out = append(out, r.text(item, fmt.Sprintf("%s[%d]", path, i)))
	}
	return out
}

// oneOf are texts that have to be known ones.
func (r *policyReader) oneOf(n *yaml.Node, path string, known []string) []string {
	out := r.texts(n, path)
	for i, v := range out {
		if !slices.Contains(known, v) {
			r.problems.Add(fmt.Sprintf("%s[%d]", path, i), "is %q: use one of %s", v, strings.Join(known, ", "))
		}
	}
	return out
}

func (r *policyReader) textMap(n *yaml.Node, path string) map[string]string {
	var out map[string]string
	for _, p := range r.pairs(n, path) {
		if out == nil {
			out = map[string]string{}
		}
		out[p.key] = r.text(p.value, under(path, p.key))
	}
	return out
}
