package kubetest

import (
	"net/http"
	"slices"
	"strings"

	discoveryv2 "k8s.io/api/apidiscovery/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// serveAbout answers questions about the server itself.
func (s *Server) serveAbout(w http.ResponseWriter, r *http.Request) bool {
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case "/api":
		s.serveDiscovery(w, true)
	case "/apis":
		s.serveDiscovery(w, false)
	case "/version":
		writeJSON(w, http.StatusOK, map[string]string{"major": "1", "minor": "36", "gitVersion": "v1.36.3"})
	case "/livez", "/readyz":
		s.serveHealth(w)
	default:
		return false
	}
	return true
}

func (s *Server) serveHealth(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unhealthy {
		writeError(w, apierrors.NewInternalError(http.ErrServerClosed))
		return
	}
	_, _ = w.Write([]byte("ok"))
}

// serveDiscovery answers in the aggregated form only, as every supported server
// does.
func (s *Server) serveDiscovery(w http.ResponseWriter, core bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := discoveryv2.APIGroupDiscoveryList{Items: []discoveryv2.APIGroupDiscovery{}}
	out.TypeMeta = metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: "apidiscovery.k8s.io/v2"}
	for _, t := range s.types {
		if (t.Group == "") == core {
			v := addVersion(&out, t.Group, t.Version)
			v.Resources = append(v.Resources, t.discoveryEntry())
		}
	}
	for _, gv := range s.stale {
		group, version, _ := strings.Cut(gv, "/")
		if !core {
			v := addVersion(&out, group, version)
			v.Freshness, v.Resources = discoveryv2.DiscoveryFreshnessStale, nil
		}
	}
	w.Header().Set("Content-Type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
	writeJSON(w, http.StatusOK, out)
}

// addVersion finds a version of a group, or adds it.
func addVersion(list *discoveryv2.APIGroupDiscoveryList, group, version string) *discoveryv2.APIVersionDiscovery {
	i := slices.IndexFunc(list.Items, func(g discoveryv2.APIGroupDiscovery) bool { return g.Name == group })
	if i < 0 {
		i = len(list.Items)
		list.Items = append(list.Items, discoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: group}})
	}
	g := &list.Items[i]
	j := slices.IndexFunc(g.Versions, func(v discoveryv2.APIVersionDiscovery) bool { return v.Version == version })
	if j < 0 {
		j = len(g.Versions)
		g.Versions = append(g.Versions, discoveryv2.APIVersionDiscovery{Version: version, Freshness: discoveryv2.DiscoveryFreshnessCurrent})
	}
	return &g.Versions[j]
}

func (t Type) discoveryEntry() discoveryv2.APIResourceDiscovery {
	verbs := t.Verbs
	if len(verbs) == 0 {
		verbs = allVerbs()
	}
	kind := &metav1.GroupVersionKind{Group: t.Group, Version: t.Version, Kind: t.Kind}
	d := discoveryv2.APIResourceDiscovery{
		Resource: t.Name, ResponseKind: kind, Scope: discoveryv2.ScopeCluster,
		SingularResource: t.Singular, ShortNames: t.ShortNames, Verbs: verbs,
	}
	if t.Namespaced {
		d.Scope = discoveryv2.ScopeNamespace
	}
	if t.Status {
		d.Subresources = []discoveryv2.APISubresourceDiscovery{{Subresource: "status", ResponseKind: kind, Verbs: []string{"get", "patch", "update"}}}
	}
	return d
}
