package kube

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

const (
	aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	aggregatedCore = `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[{"metadata":{},"versions":[{"version":"v1","freshness":"Current","resources":[
	{"resource":"pods","responseKind":{"group":"","version":"v1","kind":"Pod"},"scope":"Namespaced","singularResource":"pod","verbs":["list","create","get","delete"],"shortNames":["po"],
	 "subresources":[{"subresource":"status","responseKind":{"group":"","version":"v1","kind":"Pod"},"verbs":["get"]}]},
	{"resource":"events","responseKind":{"group":"","version":"v1","kind":"Event"},"scope":"Namespaced","singularResource":"event","verbs":["list"],"shortNames":["ev"]},
	{"resource":"nodes","responseKind":{"group":"","version":"v1","kind":"Node"},"scope":"Cluster","singularResource":"node","verbs":["list"],"shortNames":["no"]}]}]}]}`
	aggregatedGroups = `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[
	{"metadata":{"name":"apiregistration.k8s.io"},"versions":[{"version":"v1","freshness":"Current","resources":[
	 {"resource":"apiservices","responseKind":{"group":"apiregistration.k8s.io","version":"v1","kind":"APIService"},"scope":"Cluster","singularResource":"apiservice","verbs":["get"]}]}]},
	{"metadata":{"name":"apps"},"versions":[{"version":"v1","freshness":"Current","resources":[
	 {"resource":"deployments","responseKind":{"group":"apps","version":"v1","kind":"Deployment"},"scope":"Namespaced","singularResource":"deployment","verbs":["list"],"shortNames":["deploy"]}]}]},
	{"metadata":{"name":"events.k8s.io"},"versions":[{"version":"v1","freshness":"Current","resources":[
	 {"resource":"events","responseKind":{"group":"events.k8s.io","version":"v1","kind":"Event"},"scope":"Namespaced","singularResource":"event","verbs":["list"],"shortNames":["ev"]}]}]},
	{"metadata":{"name":"autoscaling"},"versions":[
	 {"version":"v2","freshness":"Current","resources":[{"resource":"horizontalpodautoscalers","responseKind":{"group":"autoscaling","version":"v2","kind":"HorizontalPodAutoscaler"},"scope":"Namespaced","singularResource":"horizontalpodautoscaler","verbs":["list"],"shortNames":["hpa"]}]},
	 {"version":"v1","freshness":"Current","resources":[{"resource":"horizontalpodautoscalers","responseKind":{"group":"autoscaling","version":"v1","kind":"HorizontalPodAutoscaler"},"scope":"Namespaced","singularResource":"horizontalpodautoscaler","verbs":["list"]},
	  {"resource":"oldthings","responseKind":{"group":"autoscaling","version":"v1","kind":"OldThing"},"scope":"Namespaced","singularResource":"oldthing","verbs":["list"]}]}]},
	{"metadata":{"name":"networking.k8s.io"},"versions":[{"version":"v1","freshness":"Current","resources":[
	 {"resource":"ingresses","responseKind":{"group":"networking.k8s.io","version":"v1","kind":"Ingress"},"scope":"Namespaced","singularResource":"ingress","verbs":["list"],"shortNames":["ing"]}]}]},
	{"metadata":{"name":"metrics.k8s.io"},"versions":[{"version":"v1beta1","freshness":"Stale","resources":[]}]}]}`
	deadService = `{"status":{"conditions":[{"type":"Available","status":"False","reason":"ServiceNotFound","message":"service kube-system/metrics is not present"}]}}`
)

// aggregatedServer is a server with one group that does not answer.
func aggregatedServer(w http.ResponseWriter, r *http.Request) {
	body := map[string]string{"/api": aggregatedCore, "/apis": aggregatedGroups}[r.URL.Path]
	switch {
	case body != "" && strings.Contains(r.Header.Get("Accept"), "APIGroupDiscoveryList"):
		w.Header().Set("Content-Type", aggregatedType)
	case r.URL.Path == "/version":
		body = `{"major":"1","minor":"36","gitVersion":"v1.36.3"}`
	case strings.HasSuffix(r.URL.Path, "/apiservices/v1beta1.metrics.k8s.io"):
		body = deadService
	default:
		writeStatus(w, 404, "NotFound", "no "+r.URL.Path, "")
		return
	}
	fmt.Fprint(w, body)
}

func discovered(t *testing.T) Catalog {
	t.Helper()
	cat, err := serve(t, aggregatedServer).Discover(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func TestDiscoverAggregated(t *testing.T) {
	cat := discovered(t)
	var names []string
	for _, r := range cat.Resources {
		names = append(names, r.GroupResource()+"@"+r.APIVersion())
	}
	want := []string{
		"pods@v1", "events@v1", "nodes@v1", "apiservices.apiregistration.k8s.io@apiregistration.k8s.io/v1", "deployments.apps@apps/v1", "events.events.k8s.io@events.k8s.io/v1",
		"horizontalpodautoscalers.autoscaling@autoscaling/v2", "oldthings.autoscaling@autoscaling/v1", "ingresses.networking.k8s.io@networking.k8s.io/v1",
	}
	if !slices.Equal(names, want) {
		t.Errorf("resources\n%q, want\n%q", names, want)
	}
	wantFailure := GroupFailure{"metrics.k8s.io", "v1beta1", "ServiceNotFound: service kube-system/metrics is not present"}
	if len(cat.Failures) != 1 || cat.Failures[0] != wantFailure {
		t.Errorf("failures %+v", cat.Failures)
	}
	if cat.ServerVersion != (ServerVersion{"v1.36.3", "1", "36"}) {
		t.Errorf("version %+v", cat.ServerVersion)
	}
	if !cat.HasStatus("pods", "v1") || cat.HasStatus("events", "v1") || cat.HasStatus("pods", "v2") {
		t.Error("sub-resources for the status are misread")
	}
	if got := cat.Versions("oldthings.autoscaling"); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("versions of one type %q", got)
	}
	old, ok := cat.InVersion("horizontalpodautoscalers.autoscaling", "v1")
	if _, bad := cat.InVersion("pods", "v2"); !ok || old.APIVersion() != "autoscaling/v1" || bad {
		t.Errorf("older version %+v %v", old, ok)
	}
}

// TestDiscoverAtAStartingServer: refusals of a server that has not read its roles yet are
// asked about again, whichever of the requests they meet. A catalog without the core types
// would be a backup without them.
func TestDiscoverAtAStartingServer(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/api", "/apis", "/version"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var refused atomic.Bool
				cat, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == path && !refused.Swap(true) {
						writeStatus(w, 403, "Forbidden", "no roles yet", "")
						return
					}
					aggregatedServer(w, r)
				}).Discover(t.Context())
				if err != nil || len(cat.Resources) != len(discovered(t).Resources) {
					t.Errorf("%d types, %v", len(cat.Resources), err)
				}
			})
		})
	}
}

func TestFind(t *testing.T) {
	cat := discovered(t)
	tests := map[string]string{
		"pods": "pods", "po": "pods", "pod": "pods", "Pod": "pods", " PODS ": "pods",
		"deploy": "deployments.apps", "deployments.apps": "deployments.apps", "Deployment.apps": "deployments.apps", "deploy.apps": "deployments.apps",
		"events": "events", "ev": "events", "events.events.k8s.io": "events.events.k8s.io", "events.events": "events.events.k8s.io",
		"hpa": "horizontalpodautoscalers.autoscaling", "ingresses.networking": "ingresses.networking.k8s.io", "ingress": "ingresses.networking.k8s.io",
		"nothing": "", "pods.apps": "", "": "", ".": "", "deployments.extensions": "",
	}
	for name, want := range tests {
		r, ok := cat.Find(name)
		if ok != (want != "") || ok && r.GroupResource() != want {
			t.Errorf("%q found %q (%v), want %q", name, r.GroupResource(), ok, want)
		}
	}
}

func TestResourceCan(t *testing.T) {
	if r := configMaps(); !r.Can("list", "get") || r.Can("list", "watch") || !r.Can() {
		t.Error("verbs are misread")
	}
}

// TestDiscoverWaitsUntilReady: a server that is starting knows some of its types only.
func TestDiscoverWaitsUntilReady(t *testing.T) {
	tests := []struct {
		name   string
		status []int // of /readyz, in turn; the last one stays
		asked  int
	}{
		{"starting", []int{503, 500, 200}, 3},
		{"keeps it to itself", []int{403}, 1},
		{"does not know the question", []int{404}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				c := serve(t, func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/readyz":
						code := tt.status[min(asked, len(tt.status)-1)]
						asked++
						if code != 200 {
							writeStatus(w, code, "", "not yet", "")
						}
					case "/version":
						fmt.Fprint(w, `{"gitVersion":"v1.34.0"}`)
					default:
						if asked < tt.asked {
							t.Errorf("%s before the server was ready", r.URL.Path)
						}
						w.Header().Set("Content-Type", "application/json")
						fmt.Fprint(w, `{"kind":"APIGroupList","groups":[]}`)
					}
				})
				if _, err := c.Discover(context.Background()); err != nil || asked != tt.asked {
					t.Errorf("asked %d times, want %d: %v", asked, tt.asked, err)
				}
			})
		})
	}
}

func TestDiscoverWithoutAggregation(t *testing.T) {
	answers := map[string]string{
		"/api":          `{"kind":"APIVersions","versions":["v1"]}`,
		"/api/v1":       `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods","kind":"Pod","namespaced":true,"verbs":["list"]},{"name":"pods/log","kind":"Pod","namespaced":true,"verbs":["get"]}]}`,
		"/apis":         `{"kind":"APIGroupList","groups":[{"name":"apps","versions":[{"groupVersion":"apps/v1","version":"v1"}],"preferredVersion":{"groupVersion":"apps/v1","version":"v1"}},{"name":"metrics.k8s.io","versions":[{"groupVersion":"metrics.k8s.io/v1","version":"v1"}],"preferredVersion":{"groupVersion":"metrics.k8s.io/v1","version":"v1"}}]}`,
		"/apis/apps/v1": `{"kind":"APIResourceList","groupVersion":"apps/v1","resources":[{"name":"deployments","singularName":"deployment","kind":"Deployment","namespaced":true,"verbs":["list"]},{"name":"deployments/status","kind":"Deployment","namespaced":true,"verbs":["get"]}]}`,
		"/version":      `{"major":"1","minor":"24","gitVersion":"v1.24.0"}`,
		"/readyz":       "ok",
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if body, ok := answers[r.URL.Path]; ok {
			fmt.Fprint(w, body)
			return
		}
		writeStatus(w, 503, "ServiceUnavailable", "no endpoints", "")
	})
	cat, err := c.Discover(context.Background())
	if err != nil || len(cat.Resources) != 2 || cat.Resources[0].Singular != "pod" {
		t.Fatalf("%+v, %v", cat.Resources, err)
	}
	if len(cat.Failures) != 1 || cat.Failures[0].Group != "metrics.k8s.io" {
		t.Errorf("failures %+v", cat.Failures)
	}
	if !cat.HasStatus("deployments.apps", "v1") || cat.HasStatus("pods", "v1") {
		t.Error("sub-resources for the status are misread")
	}
}

func TestDiscoverServerDown(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(hangUp))
	srv.Close() // refused, not hung up on: client-go itself tries that again for 10 s
	c, err := New(&RESTConfig{Host: srv.URL}, Options{RetryFor: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Discover(context.Background()); !IsUnavailable(err) {
		t.Errorf("error %v is not IsUnavailable", err)
	}
}
