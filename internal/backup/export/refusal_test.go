package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// discoverer is an API server that announces pods and types of groups, and serves
// none; a group without types does not answer.
type discoverer map[string][]string

func (d discoverer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/readyz":
	case "/version":
		fmt.Fprint(w, `{"major":"1","minor":"36","gitVersion":"v1.36.3"}`)
	case "/api":
		announce(w, discoverer{"": {"pods"}})
	case "/apis":
		announce(w, d)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func announce(w http.ResponseWriter, groups discoverer) {
	type m = map[string]any
	items := []m{}
	for group, names := range groups {
		freshness, resources := "Current", []m{}
		for _, name := range names {
			resources = append(resources, m{"resource": name, "responseKind": m{"group": group, "version": "v1", "kind": "X"}, "scope": "Namespaced", "verbs": []string{"list"}})
		}
		if len(names) == 0 {
			freshness = "Stale"
		}
		items = append(items, m{"metadata": m{"name": group}, "versions": []m{{"version": "v1", "freshness": freshness, "resources": resources}}})
	}
	w.Header().Set("Content-Type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
	_ = json.NewEncoder(w).Encode(m{"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})
}

func TestListNotServed(t *testing.T) {
	widgets := kube.Resource{Group: "g", Version: "v1", Name: "widgets", Kind: "Widget"}
	for name, tt := range map[string]struct {
		serves discoverer
		want   report.Code
		tries  int
	}{
		"another group is left":        {discoverer{"h": {"others"}}, report.TypeGone, 1},
		"the type is gone":             {discoverer{"g": {"gadgets"}}, report.TypeGone, 1},
		"the group does not answer":    {discoverer{"g": {}}, report.ListFailed, notServedTries},
		"announced, and never served":  {discoverer{"g": {"widgets"}}, report.ListFailed, notServedTries},
		"a group whose name begins so": {discoverer{"g.h": {"widgets"}}, report.TypeGone, 1},
		"no group is left":             {discoverer{}, report.TypeGone, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.serves)
			t.Cleanup(server.Close)
			client, err := kube.New(&kube.RESTConfig{Host: server.URL}, kube.Options{})
			if err != nil {
				t.Fatal(err)
			}
			e := &shardExport{ShardWriter: &backup.ShardWriter{Notes: backup.NewChunkNotes()}, service: &backup.Service{Kube: client}, suspects: map[string]int{}}
			_, refused := client.Get(t.Context(), widgets, "shop", "x")
			tries := 1
			for ; errors.Is(e.listFailed(t.Context(), widgets, listCall{namespace: "shop"}, refused), errSuspect); tries++ {
				if len(e.Notes.Reasons) > 0 {
					t.Fatal("a reason before the last try")
				}
			}
			if tries != tt.tries || len(e.Notes.Reasons) != 1 || e.Notes.Reasons[0].Code != tt.want {
				t.Errorf("after %d tries: %v", tries, e.Notes.Reasons)
			}
			if text := fmt.Sprint(e.Notes.Reasons); !strings.Contains(text, "widgets.g") {
				t.Errorf("the type is not named: %s", text)
			}
		})
	}
}
