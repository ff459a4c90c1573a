package kube

import (
	"net/url"
	"strings"
)

// Resource is one type that the API server serves, in one version.
type Resource struct {
	Group      string   // empty for the core group
	Version    string   // "v1"
	Name       string   // plural, lower case: "deployments"
	Singular   string   // "deployment"
	Kind       string   // "Deployment"
	ShortNames []string // "deploy"
	Namespaced bool
	Verbs      []string // "list", "create", …
}

// GroupResource is the name that Velero and the archive use: "deployments.apps",
// "pods".
func (r Resource) GroupResource() string {
	if r.Group == "" {
		return r.Name
	}
	return r.Name + "." + r.Group
}

// APIVersion is the type's apiVersion: "apps/v1", "v1".
func (r Resource) APIVersion() string {
	if r.Group == "" {
		return r.Version
	}
	return r.Group + "/" + r.Version
}

// Can reports whether the type has every one of the verbs.
func (r Resource) Can(verbs ...string) bool {
	for _, want := range verbs {
		found := false
		for _, have := range r.Verbs {
			found = found || have == want
		}
		if !found {
			return false
		}
	}
	return true
}

// urlPath is the URL path below the server's root; name and sub may be empty.
func (r Resource) urlPath(ns, name, sub string) string {
	var b strings.Builder
	if r.Group == "" {
		b.WriteString("/api/" + r.Version)
	} else {
		b.WriteString("/apis/" + r.Group + "/" + r.Version)
	}
	if ns != "" {
		b.WriteString("/namespaces/" + url.PathEscape(ns))
	}
	b.WriteString("/" + r.Name)
	if name != "" {
		b.WriteString("/" + url.PathEscape(name))
	}
	if sub != "" {
		b.WriteString("/" + sub)
	}
	return b.String()
}

// objectRef names an object in errors: "secrets bookstore/db", "nodes n1".
func (r Resource) objectRef(ns, name string) string {
	switch {
	case ns != "" && name != "":
		return r.GroupResource() + " " + ns + "/" + name
	case ns != "" || name != "":
		return r.GroupResource() + " " + ns + name
	}
	return r.GroupResource()
}
