package resource

import (
	"slices"
	"strconv"
	"strings"
)

// references finds where an object names a mapped namespace. Text is never
// rewritten: what the rules did not rewrite is reported by its path.
type references struct {
	mapping map[string]string
	before  map[string]string // path → value before the rules; only where a target is also a source
}

// trackReferences is called before the rules run. It looks at the object only
// when namespaces are mapped in a circle (a→b, b→a), where a rewritten value
// could be mistaken for one that was left.
func (c *Context) trackReferences(obj map[string]any) references {
	r := references{mapping: c.NamespaceMapping}
	for _, target := range c.NamespaceMapping {
		if _, ok := c.NamespaceMapping[target]; ok {
			r.before = r.findReferences(obj)
			break
		}
	}
	return r
}

// residualPaths returns the paths that still name a mapped namespace, sorted.
func (r references) residualPaths(obj map[string]any) []string {
	if len(r.mapping) == 0 {
		return nil
	}
	var paths []string
	for path, value := range r.findReferences(obj) {
		if before, ok := r.before[path]; r.before != nil && (!ok || before != value) {
			continue
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

func (r references) findReferences(obj map[string]any) map[string]string {
	found := map[string]string{}
	for key, value := range obj {
		if key != "metadata" {
			r.visitValue(key, key, value, found)
		}
	}
	meta := child(obj, "metadata")
	for key, value := range child(meta, "annotations") {
		if key != annotationLastApplied { // a copy of the object, not a reference
			r.visitValue(joinPath("metadata.annotations", key), key, value, found)
		}
	}
	return found
}

func (r references) visitValue(path, key string, value any, found map[string]string) {
	switch v := value.(type) {
	case map[string]any:
		selector := str(v, "key") // of a label selector's matchExpressions
		for k, item := range v {
			kind := k
			if k == "values" && selector == labelNamespaceName {
				kind = selector
			}
			r.visitValue(joinPath(path, k), kind, item, found)
		}
	case []any:
		for i, item := range v {
			r.visitValue(path+"["+strconv.Itoa(i)+"]", key, item, found)
		}
	case string:
		if r.namesMapped(key, v) {
			found[path] = v
		}
	}
}

// namesMapped says whether a string under a key refers to a mapped namespace: a field
// that holds a namespace's name, a service's DNS name, or the user or group
// name of its service accounts.
func (r references) namesMapped(key, value string) bool {
	if _, ok := r.mapping[value]; ok && namespaceField(key) {
		return true
	}
	if strings.Contains(value, ".svc") {
		for from := range r.mapping {
			if containsService(value, from) {
				return true
			}
		}
	}
	if strings.Contains(value, userPrefix) || strings.Contains(value, groupPrefix) {
		for from := range r.mapping {
			if containsName(value, userPrefix+from) || containsName(value, groupPrefix+from) {
				return true
			}
		}
	}
	return false
}

// namespaceField recognises namespace, namespaces, fooNamespace(s),
// foo-namespace, FOO_NAMESPACE, matchNames and the label that every namespace
// carries with its own name.
func namespaceField(key string) bool {
	switch key {
	case labelNamespaceName, "matchNames":
		return true
	}
	lower := strings.ToLower(key)
	return strings.HasSuffix(lower, "namespace") || strings.HasSuffix(lower, "namespaces")
}

// containsService finds <service>.<namespace>.svc as whole DNS labels.
func containsService(text, namespace string) bool {
	return containsName(text, "."+namespace+".svc")
}

// containsName finds a name that no letter, digit or dash continues.
func containsName(text, name string) bool {
	for {
		i := strings.Index(text, name)
		if i < 0 {
			return false
		}
		text = text[i+len(name):]
		if text == "" || !dnsChar(text[0]) {
			return true
		}
	}
}

func dnsChar(c byte) bool {
	return c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// joinPath appends a key to a JSON path; a key that is not plain is quoted.
func joinPath(path, key string) string {
	for i := range len(key) {
		if !dnsChar(key[i]) && key[i] != '_' {
			return path + "[" + strconv.Quote(key) + "]"
		}
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
