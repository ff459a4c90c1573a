//go:build stack

package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// meter is a TCP proxy that counts the bytes that come from its target.
type meter struct {
	addr string
	down atomic.Int64
}

func newMeter(t *testing.T, target string) *meter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	m := &meter{addr: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go m.forward(client, target)
		}
	}()
	return m
}

func (m *meter) forward(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client) // ends with either connection
		server.Close()
	}()
	_, _ = io.Copy(client, io.TeeReader(server, m))
}

// Write counts.
func (m *meter) Write(p []byte) (int, error) {
	m.down.Add(int64(len(p)))
	return len(p), nil
}

// TestSingleObject brings one Secret of many objects back, alone, and reads a
// fraction of the tarball for it.
func TestSingleObject(t *testing.T) {
	t.Parallel()
	l := shared
	names := l.namespaces(t, "single")
	ns := names.Replace("<single>")
	l.apply(t, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {kept: "yes"}}}`, ns))
	l.fill(t, ns, 3000)
	wire := newMeter(t, strings.TrimPrefix(l.Stack.S3.Endpoint, "http://"))
	h := l.Beside(t, harness.Options{Cluster: "single", S3: wire.addr}).Harness
	completed(t, backup(t, h, "many", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	want := l.Object(t, "secrets", ns, "secret-1234")["data"]
	tarball, err := h.Store.Head(t.Context(), layout.Backup{Name: "many"}.Tarball())
	if err != nil {
		t.Fatal(err)
	}
	l.deleteNamespaces(t, ns)

	start := wire.down.Load()
	out, err := h.Run(t.Context(), "restore", "create", "one", "--from-backup", "many", "--include-resources", "secrets", "--include-name", ns+"/secret-1234", "--wait")
	if err != nil {
		t.Fatal(err)
	}
	if read := wire.down.Load() - start; read > tarball.Size/5 {
		t.Errorf("read %d bytes for one object of a tarball of %d", read, tarball.Size)
	} else {
		t.Logf("read %d bytes of a tarball of %d", read, tarball.Size)
	}
	if got := l.Object(t, "secrets", ns, "secret-1234"); fmt.Sprint(got["data"]) != fmt.Sprint(want) {
		t.Error("the Secret's data is another")
	}
	if names := strings.Fields(l.kubectl(t, "get", "secrets,configmaps,services,deployments", "-n", ns, "-o", "name", "--field-selector", "metadata.name!=kube-root-ca.crt")); len(names) != 1 {
		t.Errorf("in the namespace: %v", names)
	}
	if got := harness.At(l.Object(t, "namespaces", "", ns), "metadata", "labels", "kept"); got != "yes" {
		t.Errorf("the namespace came back without its labels\n%s", out)
	}
	res, err := h.CLI(t.Context(), "restore", "create", "none", "--from-backup", "many", "--include-resources", "secrets", "--include-name", ns+"/no-such", "--wait")
	if err != nil || !strings.Contains(res.Out, "NOTHING_SELECTED") {
		t.Errorf("exit %d, %v: %s%s", res.Code, err, res.Out, res.Err)
	}
}

// fill makes n Secrets that do not compress.
func (l *lab) fill(t *testing.T, ns string, n int) {
	t.Helper()
	secrets := kube.Resource{Version: "v1", Name: "secrets", Kind: "Secret", Namespaced: true}
	var group errgroup.Group
	group.SetLimit(32)
	for i := range n {
		group.Go(func() error {
			data := make([]byte, 400)
			_, _ = rand.Read(data) // never fails
			body, err := json.Marshal(map[string]any{
				"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": fmt.Sprintf("secret-%d", i)}, "data": map[string][]byte{"k": data},
			})
			if err != nil {
				return err
			}
			_, err = l.Kube.Create(t.Context(), secrets, ns, body, kube.CreateOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
