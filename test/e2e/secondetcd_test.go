//go:build stack

package e2e

import (
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestSecondEtcd: a type whose objects lie in an etcd of their own has revisions of its own. It
// is listed in its newest state, whole, and the result and the manifest name it; all others are
// of one revision.
func TestSecondEtcd(t *testing.T) {
	t.Parallel()
	cluster := stack.Run(t, stack.Options{APIServerArgs: []string{"--etcd-servers-overrides=/configmaps#" + startEtcd(t)}})
	ns := "apart-" + shared.ID
	fill(t, connectKube(t, cluster), ns, "own")
	h := shared.Beside(t, harness.Options{Cluster: "two-etcd", Edit: func(c *config.Config) { c.Kubernetes.Kubeconfig = cluster.Kubeconfig }}).Harness
	res := backup(t, h, "apart", velerov1.BackupSpec{IncludedNamespaces: []string{ns}})
	if told := slices.ContainsFunc(res.Reasons, func(r string) bool {
		return strings.Contains(r, "LIST_INCONSISTENT") && strings.Contains(r, "revisions of its own: configmaps")
	}); res.Phase != "Completed" || !told {
		t.Errorf("%s: %q", res.Phase, res.Reasons)
	}
	a, err := archive.Open(t.Context(), repository.NewSource(h.Store), layout.Backup{Name: "apart"})
	if err != nil {
		t.Fatal(err)
	}
	if m := a.Manifest(); m.Revision == "" || !slices.Equal(m.PlainTypes, []string{"configmaps"}) {
		t.Errorf("revision %q, listed plainly: %v", m.Revision, m.PlainTypes)
	}
	got := slices.DeleteFunc(contents(t, h, "apart"), func(key string) bool { return !strings.Contains(key, "/own-") })
	if len(got) != objectsEach {
		t.Errorf("%d of %d objects", len(got), objectsEach)
	}
}

// startEtcd starts an etcd that ends with the test, and returns its URL.
func startEtcd(t *testing.T) string {
	t.Helper()
	binary, err := stack.Binary("etcd")
	if err != nil {
		t.Fatal(err)
	}
	client, peer := freeURL(t), freeURL(t)
	etcd := exec.CommandContext(t.Context(), binary, "--data-dir="+t.TempDir(), "--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer, "--unsafe-no-fsync", "--log-level=error")
	if err := etcd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = etcd.Wait() })
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		answer, err := http.Get(client + "/health")
		if err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK {
			return client
		}
		if time.Now().After(end) {
			t.Fatalf("etcd does not answer: %v", err)
		}
	}
}

func freeURL(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}
