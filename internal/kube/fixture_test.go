package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/test/bufconn"
)

func configMaps() Resource {
	return Resource{Version: "v1", Name: "configmaps", Singular: "configmap", Kind: "ConfigMap", ShortNames: []string{"cm"}, Namespaced: true, Verbs: []string{"list", "create", "get", "delete"}}
}

// serve starts an HTTP server and a client of it that retries for a second. Their connections
// are in memory, so that a test can run in a bubble of testing/synctest.
func serve(t testing.TB, h http.HandlerFunc) *Client {
	t.Helper()
	connections := bufconn.Listen(64 << 10)
	srv := &httptest.Server{Listener: connections, Config: &http.Server{Handler: h}}
	srv.Start()
	t.Cleanup(srv.Close)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return connections.DialContext(ctx) }
	c, err := New(&RESTConfig{Host: srv.URL, Dial: dial}, Options{RetryFor: time.Second, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func writeStatus(w http.ResponseWriter, code int, reason, message, extra string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","metadata":{%s},"status":"Failure","message":%q,"reason":%q,"code":%d}`, extra, message, reason, code)
}

// pagedServer serves names as ConfigMaps in pages, with tokens "rv/offset", as
// an API server does.
type pagedServer struct {
	mu       sync.Mutex
	names    []string
	rv       int
	requests []string
	// intercept answers a request itself by returning true.
	intercept func(w http.ResponseWriter, r *http.Request, n int) bool
	lie       int // added to remainingItemCount
}

func (s *pagedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.URL.RequestURI())
	if s.intercept != nil && s.intercept(w, r, len(s.requests)) {
		return
	}
	if name := strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/n/configmaps/"); name != r.URL.Path {
		fmt.Fprintf(w, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":"n"}}`, name)
		return
	}
	s.page(w, r)
}

func (s *pagedServer) page(w http.ResponseWriter, r *http.Request) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, rv := 0, s.rv
	if token := r.URL.Query().Get("continue"); token != "" {
		if _, err := fmt.Sscanf(token, "%d/%d", &rv, &from); err != nil {
			writeStatus(w, 400, "BadRequest", "bad token", "")
			return
		}
	}
	to := min(len(s.names), from+limit)
	meta := map[string]any{"resourceVersion": strconv.Itoa(rv)}
	if to < len(s.names) {
		meta["continue"] = fmt.Sprintf("%d/%d", rv, to)
		meta["remainingItemCount"] = len(s.names) - to + s.lie
	}
	var items []any
	for _, n := range s.names[from:to] {
		items = append(items, map[string]any{"metadata": map[string]any{"name": n, "namespace": "n", "labels": map[string]string{"l": n}}})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "ConfigMapList", "apiVersion": "v1", "metadata": meta, "items": items})
}

func manyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("c%04d", i)
	}
	return names
}
