package apply

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

// apiServer is an API server of one namespace "n" with Secrets and ConfigMaps.
type apiServer struct {
	mu      sync.Mutex
	objs    map[string]map[string]any // by "secrets/name"
	gone    map[string]time.Time      // when what is being deleted goes
	calls   map[string]int            // by "METHOD secrets/name"
	patched func(key string, n int) (code int, message string)
	dead    bool // the server says that it does not live
}

const coreTypes = `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[{"metadata":{},"versions":[{"version":"v1","freshness":"Current","resources":[
	{"resource":"secrets","responseKind":{"group":"","version":"v1","kind":"Secret"},"scope":"Namespaced","singularResource":"secret","verbs":["list","create","get","delete"]},
	{"resource":"configmaps","responseKind":{"group":"","version":"v1","kind":"ConfigMap"},"scope":"Namespaced","singularResource":"configmap","verbs":["list","create","get","delete"]}]}]}]}`

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, isObject := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/n/")
	if !isObject {
		s.about(w, r)
		return
	}
	var body map[string]any
	if data, _ := io.ReadAll(r.Body); len(data) > 0 {
		_ = json.Unmarshal(data, &body)
	}
	if r.Method == http.MethodPost {
		meta, _ := body["metadata"].(map[string]any)
		key += "/" + resource.StringOf(meta["name"])
	}
	if at, going := s.gone[key]; going && time.Now().After(at) {
		delete(s.objs, key)
	}
	s.calls[r.Method+" "+key]++
	s.object(w, r.Method, key, body)
}

func (s *apiServer) about(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/api", "/apis":
		w.Header().Set("Content-Type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
		fmt.Fprint(w, map[string]string{"/api": coreTypes, "/apis": `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[]}`}[r.URL.Path])
	case "/version":
		fmt.Fprint(w, `{"major":"1","minor":"36","gitVersion":"v1.36.3"}`)
	case "/livez", "/readyz":
		if s.dead {
			refuse(w, http.StatusInternalServerError, "InternalError", "etcd failed")
			return
		}
		fmt.Fprint(w, "ok")
	default:
		refuse(w, http.StatusNotFound, "NotFound", "no "+r.URL.Path)
	}
}

func (s *apiServer) object(w http.ResponseWriter, method, key string, body map[string]any) {
	obj, there := s.objs[key]
	switch {
	case method == http.MethodPost && there:
		refuse(w, http.StatusConflict, "AlreadyExists", key+" already exists")
		return
	case method == http.MethodPost:
		obj = body
		meta, _ := obj["metadata"].(map[string]any)
		meta["uid"], meta["resourceVersion"] = fmt.Sprint("uid-", len(s.calls)), "1"
		s.objs[key] = obj
	case !there:
		refuse(w, http.StatusNotFound, "NotFound", key+" not found")
		return
	case method == http.MethodPatch:
		if code, message := s.patched(key, s.calls["PATCH "+key]); code != 0 {
			refuse(w, code, map[int]string{409: "Conflict", 422: "Invalid", 403: "Forbidden"}[code], message)
			return
		}
		meta, _ := obj["metadata"].(map[string]any)
		change, _ := body["metadata"].(map[string]any)
		meta["ownerReferences"] = change["ownerReferences"]
	}
	_ = json.NewEncoder(w).Encode(obj)
}

func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"reason":%q,"code":%d}`, message, reason, code)
}

// put places an object in the server; meta is JSON with a comma in front.
func (s *apiServer) put(t *testing.T, key, kind, meta, rest string) {
	t.Helper()
	_, name, _ := strings.Cut(key, "/")
	var obj map[string]any
	if err := json.Unmarshal(fmt.Appendf(nil, `{"apiVersion":"v1","kind":%q,"metadata":{"name":%q,"namespace":"n","uid":"old-%s","resourceVersion":"1"%s}%s}`, kind, name, name, meta, rest), &obj); err != nil {
		t.Fatal(err)
	}
	s.objs[key] = obj
}

// applierOf restores stored objects into a server.
func applierOf(t *testing.T, s *apiServer, dryRun bool, objs ...restoretest.Stored) *applier {
	t.Helper()
	s.objs, s.gone, s.calls = map[string]map[string]any{}, map[string]time.Time{}, map[string]int{}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	client, err := kube.New(&kube.RESTConfig{Host: srv.URL}, kube.Options{RetryFor: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ses, _ := restoretest.StoredSession(t, objs, velerov1.RestoreSpec{})
	ses.Restore.Name, ses.Restore.DryRun, ses.Run.Started = "r", dryRun, time.Now()
	r := &restore.Service{Kube: client, Config: &config.Config{}, Rules: resource.NewRegistry()}
	r.Config.Limits.ApplyConcurrency = 8
	a, err := newApplier(t.Context(), r, ses, &heartbeat.Recorder{}, plan.LevelOf("configmaps"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func configMapsNamed(names ...string) (out []restoretest.Stored) {
	for _, n := range names {
		out = append(out, restoretest.Stored{Key: "configmaps n/" + n, Rest: `,"apiVersion":"v1","kind":"ConfigMap","data":{"k":"v"}`})
	}
	return out
}

// byName are records by the name of their object.
func byName(records []restore.Record) map[string]restore.Record {
	out := map[string]restore.Record{}
	for _, r := range records {
		out[r.Name] = r
	}
	return out
}
