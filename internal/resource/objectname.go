package resource

import (
	"strings"
)

// ObjectName is "namespace/name", or the name alone of a cluster-scoped object.
func ObjectName(ns, name string) string {
	if ns == "" {
		return name
	}
	return ns + "/" + name
}

// SplitName cuts "namespace/name"; a name alone is cluster-scoped.
func SplitName(s string) (ns, name string) {
	if ns, name, ok := strings.Cut(s, "/"); ok {
		return ns, name
	}
	return "", s
}

// FieldManager owns the fields that a restore writes.
const FieldManager = "lifeboat"
