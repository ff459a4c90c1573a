//go:build stack

package resource

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// shared is the stack of all tests in this package.
var shared *stack.Stack

func TestMain(m *testing.M) {
	os.Exit(stack.Main(m, stack.Options{}, func(s *stack.Stack) { shared = s }))
}

// api is as much of a Kubernetes client as these tests need; this package must
// not import client-go.
type api struct {
	t              testing.TB
	source, target string // namespaces
	server, token  string
	client         *http.Client
}

func newAPI(t testing.TB) *api {
	s := shared
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &api{t: t, server: s.APIServer, token: s.AdminToken, client: &http.Client{Transport: transport}}
}

func (a *api) path(resource, namespace string) string {
	for _, kind := range realTypes {
		if kind.resource == resource {
			plural, _, _ := strings.Cut(resource, ".")
			return kind.path + "/namespaces/" + namespace + "/" + plural
		}
	}
	a.t.Fatalf("no path for %s", resource)
	return ""
}

// load creates what a file lists: {path, object}, or {path, apply} for an
// object that a server-side applier owns.
func (a *api) load(file string) {
	a.t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		a.t.Fatal(err)
	}
	var steps []struct {
		Path   string         `json:"path"`
		Object map[string]any `json:"object"`
		Apply  map[string]any `json:"apply"`
	}
	raw = bytes.ReplaceAll(raw, []byte(placeholder), []byte(a.source))
	// 30000 to 30085 are the ports that the server leaves to people.
	raw = bytes.ReplaceAll(raw, []byte(placeholderPort), fmt.Append(nil, 30000+time.Now().UnixNano()%86))
	if err := json.Unmarshal(raw, &steps); err != nil {
		a.t.Fatal(err)
	}
	for _, step := range steps {
		if step.Apply != nil {
			a.must("APPLY", step.Path, step.Apply)
			continue
		}
		a.must(http.MethodPost, step.Path, step.Object)
	}
}

// namespace makes one and its removal.
func (a *api) namespace(name string) {
	a.t.Helper()
	a.must(http.MethodPost, "/api/v1/namespaces", map[string]any{"metadata": map[string]any{"name": name}})
	a.t.Cleanup(func() { a.try(http.MethodDelete, "/api/v1/namespaces/"+name, nil) })
	a.wait("default service account", func() bool {
		_, _, ok := a.try(http.MethodGet, "/api/v1/namespaces/"+name+"/serviceaccounts/default", nil)
		return ok
	})
}

// get waits while the server says 429: right after its start it does so for
// custom resources whose storage is not ready.
func (a *api) get(path string) map[string]any {
	a.t.Helper()
	a.wait(path, func() bool {
		code, _ := a.do(http.MethodGet, path, nil)
		return code != http.StatusTooManyRequests
	})
	return a.must(http.MethodGet, path, nil)
}

func (a *api) must(method, path string, body map[string]any) map[string]any {
	a.t.Helper()
	code, answer, ok := a.try(method, path, body)
	if !ok {
		a.t.Fatalf("%s %s: %d %s", method, path, code, answer)
	}
	var obj map[string]any
	if err := utiljson.Unmarshal(answer, &obj); err != nil {
		a.t.Fatal(err)
	}
	return obj
}

func (a *api) do(method, path string, body map[string]any) (int, []byte) {
	a.t.Helper()
	code, answer, _ := a.try(method, path, body)
	return code, answer
}

func (a *api) try(method, path string, body map[string]any) (int, []byte, bool) {
	a.t.Helper()
	contentType := map[string]string{http.MethodPatch: "application/merge-patch+json", "APPLY": "application/apply-patch+yaml"}[method]
	if method == "APPLY" {
		method, path = http.MethodPatch, path+"?fieldManager=gitops&force=true"
	}
	raw, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequest(method, a.server+path, bytes.NewReader(raw))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Content-Type", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, answer, resp.StatusCode < 300
}

func (a *api) wait(what string, done func() bool) {
	a.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !done(); {
		if time.Now().After(deadline) {
			a.t.Fatal(fmt.Errorf("wait for %s: 60 s are over", what))
		}
		time.Sleep(200 * time.Millisecond)
	}
}
