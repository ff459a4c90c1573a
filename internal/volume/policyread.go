package volume

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decodeDocument decodes a text and notes every value that is not of the form of its field.
func (c *policyChecker) decodeDocument(data []byte) *policyDocument {
	var root yaml.Node
	out := &policyDocument{}
	err := yaml.Unmarshal(data, &root)
	if err == nil && root.Kind != 0 {
		c.checkForm(root.Content[0], "", reflect.TypeOf(*out))
		err = root.Decode(out)
	}
	if err != nil && c.problems.Err() == nil {
		c.problems.Add("policies", "are no YAML: %v", err)
	}
	return out
}

// checkForm holds a node against the type that it is decoded into and notes what the type
// has no place for. The decoder would refuse the same, but names only a line of the text,
// and its names of Go's types tell a user nothing. An absent node, and null, pass.
func (c *policyChecker) checkForm(n *yaml.Node, path string, t reflect.Type) {
	if n = followAlias(n); n.Tag == "!!null" {
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		c.checkForm(n, path, t.Elem())
	case reflect.String:
		c.hasKind(n, path, yaml.ScalarNode, "text")
	case reflect.Slice:
		if c.hasKind(n, path, yaml.SequenceNode, "list") {
			for i, item := range n.Content {
				c.checkForm(item, fmt.Sprintf("%s[%d]", path, i), t.Elem())
			}
		}
	case reflect.Map, reflect.Struct:
		if c.hasKind(n, cmp.Or(path, "policies"), yaml.MappingNode, "map") {
			c.checkEntries(n, path, t)
		}
	}
}

func (c *policyChecker) hasKind(n *yaml.Node, path string, kind yaml.Kind, word string) bool {
	if n.Kind != kind {
		c.problems.Add(path, "is not a %s", word)
	}
	return n.Kind == kind
}

// checkEntries holds the entries of a map against a struct, which knows its fields, or a
// map, which takes every key; both have each key once.
func (c *policyChecker) checkEntries(n *yaml.Node, path string, t reflect.Type) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		c.checkForm(n.Content[i], path+" (a key)", reflect.TypeFor[string]())
		key := followAlias(n.Content[i]).Value
		at := strings.TrimPrefix(path+"."+cmp.Or(key, `""`), ".")
		elem, names := entryType(t, key)
		switch {
		case seen[key]:
			c.problems.Add(at, "stands there twice: remove one")
		case elem == nil:
			c.problems.Add(at, "is no field of resource policies: use one of %s", strings.Join(names, ", "))
		default:
			c.checkForm(n.Content[i+1], at, elem)
		}
		seen[key] = true
	}
}

// entryType is the type of the value under a key; nil, with the names that there are, for
// a field that the struct does not have.
func entryType(t reflect.Type, key string) (reflect.Type, []string) {
	if t.Kind() == reflect.Map {
		return t.Elem(), nil
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		switch name := f.Tag.Get("yaml"); name {
		case "":
		case key:
			return f.Type, nil
		default:
			names = append(names, name)
		}
	}
	return nil, names
}

func followAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
