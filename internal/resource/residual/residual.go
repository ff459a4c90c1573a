// Package residual finds where an object names a namespace that a restore maps to another.
// Text is never rewritten: what the rules of package resource did not rewrite is reported by
// its path.
package residual

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// Prefixes of the names by which the API server calls the service accounts of a namespace.
const (
	UserPrefix  = "system:serviceaccount:"
	GroupPrefix = "system:serviceaccounts:"
)

// References are those of one object to mapped namespaces.
type References struct {
	mapping map[string]string
	service IsService
	before  map[string]string // path → value before the rules; only where a target is also a source
}

// IsService says whether there is a Service of a name in a namespace of the backup.
type IsService func(namespace, name string) bool

// Track is called before the rules change an object. It looks at the object only when
// namespaces are mapped in a circle (a→b, b→a), where a rewritten value could be mistaken for
// one that was left. Where service is nil no text is taken for <service>.<namespace>, which
// is told from other words with a dot by the Service that is there.
func Track(mapping map[string]string, service IsService, obj map[string]any) References {
	r := References{mapping: mapping, service: service}
	for _, target := range mapping {
		if _, ok := mapping[target]; ok {
			r.before = r.find(obj)
			break
		}
	}
	return r
}

// Paths returns the paths that still name a mapped namespace, sorted.
func (r References) Paths(obj map[string]any) []string {
	if len(r.mapping) == 0 {
		return nil
	}
	var paths []string
	for path, value := range r.find(obj) {
		if before, ok := r.before[path]; r.before != nil && (!ok || before != value) {
			continue
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

func (r References) find(obj map[string]any) map[string]string {
	found := map[string]string{}
	for key, value := range obj {
		if key != "metadata" {
			r.visitValue(key, key, value, found)
		}
	}
	meta, _ := obj["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	for key, value := range annotations {
		if key != compare.AnnotationLastApplied { // a copy of the object, not a reference
			r.visitValue(compare.JoinPath("metadata.annotations", key), key, value, found)
		}
	}
	return found
}

func (r References) visitValue(path, key string, value any, found map[string]string) {
	switch v := value.(type) {
	case map[string]any:
		selector := v["key"] // of a label selector's matchExpressions
		for k, item := range v {
			kind := k
			if k == "values" && selector == corev1.LabelMetadataName {
				kind = corev1.LabelMetadataName
			}
			r.visitValue(compare.JoinPath(path, k), kind, item, found)
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
func (r References) namesMapped(key, value string) bool {
	if _, ok := r.mapping[value]; ok && namespaceField(key) {
		return true
	}
	for from := range r.mapping {
		if r.namesService(value, from) || containsName(value, UserPrefix+from) || containsName(value, GroupPrefix+from) {
			return true
		}
	}
	return false
}

// namespaceField recognises namespace, namespaces, fooNamespace(s),
// foo-namespace, FOO_NAMESPACE, matchNames and the label that every namespace
// carries with its own name.
func namespaceField(key string) bool {
	switch key {
	case corev1.LabelMetadataName, "matchNames":
		return true
	}
	lower := strings.ToLower(key)
	return strings.HasSuffix(lower, "namespace") || strings.HasSuffix(lower, "namespaces")
}

// namesService finds <service>.<namespace>.svc as whole DNS labels, and <service>.<namespace>
// of a Service that is there.
func (r References) namesService(text, namespace string) bool {
	for {
		before, after, ok := strings.Cut(text, "."+namespace)
		if !ok {
			return false
		}
		service := before[strings.LastIndexFunc(before, notDNS)+1:]
		switch {
		case after != "" && dnsChar(after[0]): // the namespace's name goes on
		case containsName(after[:min(len(after), len(".svc")+1)], ".svc"):
			return true
		case len(after) > 1 && after[0] == '.' && dnsChar(after[1]): // another domain
		case service != "" && r.service != nil && r.service(namespace, service):
			return true
		}
		text = after
	}
}

// containsName finds a name that no letter, digit or dash continues.
func containsName(text, name string) bool {
	for {
		_, after, ok := strings.Cut(text, name)
		if !ok {
			return false
		}
		if after == "" || !dnsChar(after[0]) {
			return true
		}
		text = after
	}
}

func notDNS(c rune) bool { return c > 'z' || !dnsChar(byte(c)) }

func dnsChar(c byte) bool {
	return c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
