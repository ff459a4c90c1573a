//go:build stack

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// readOnlyS3 is an object store to which nobody may write, in front of another.
func readOnlyS3(t *testing.T, endpoint string) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // requests are signed for it
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			proxy.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestRestoreWhereNothingMayBeWritten: one ReadOnly location with credentials that may only read
// is enough for a restore, whose results are told by Temporal alone.
func TestRestoreWhereNothingMayBeWritten(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "nowrite").Replace("<nowrite>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}, data: {k: v}}", ns, ns))
	own := l.Beside(t, harness.Options{Cluster: "nowrite"})
	ask(t, own.Harness, 0, nil, "backup", "create", "b", "--include-namespaces", ns, "--wait")
	own.Worker.Stop()
	h := l.Beside(t, harness.Options{Cluster: "nowrite", S3: readOnlyS3(t, l.Stack.S3.Endpoint), Edit: func(c *config.Config) {
		c.BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
	}}).Harness
	mapping := ns + ":" + ns + "-copy"
	ask(t, h, 0, []string{"2 created", "1 warning", "RESULTS_NOT_STORED"}, "restore", "create", "r", "--from-backup", "b", "--namespace-mappings", mapping, "--wait")
	ask(t, h, 0, []string{"2 created", "RESULTS_NOT_STORED", "Completed"}, "restore", "describe", "r")
	ask(t, h, 0, []string{"r ", "Completed"}, "restore", "get")
	ask(t, h, 0, []string{"would leave", "--results-location"}, "restore", "create", "look", "--from-backup", "b", "--namespace-mappings", mapping, "--dry-run")
	h.Object(t, "configmaps", ns+"-copy", "c")
}
