//go:build stack

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// objectsEach is how many ConfigMaps stand in the namespace of TestTwoClustersUnderOneName,
// in each cluster.
const objectsEach = 40

// TestTwoClustersUnderOneName: two API servers, two workers, one name of the cluster. The
// worker that comes second is refused with both identities and the remedy, by the task
// queue and by the bucket, as often as it is started, and no run of the first one has
// anything of the second cluster.
func TestTwoClustersUnderOneName(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "onename").Replace("<onename>")
	fill(t, l.Kube, ns, "first")
	second := stack.Run(t, stack.Options{})
	other := connectKube(t, second)
	fill(t, other, ns, "second")

	ours, otherUID := identityOf(t, l.Kube), identityOf(t, other)
	h := l.Beside(t, harness.Options{Cluster: "one-name"}).Harness
	toSecond := func(c *config.Config) { c.Kubernetes.Kubeconfig = second.Kubeconfig }
	byQueue := l.Idle(t, harness.Options{Cluster: "one-name", Prefix: "elsewhere-" + l.ID, Edit: toSecond})
	byBucket := l.Idle(t, harness.Options{Cluster: "one-name", Edit: toSecond})
	for i := range 10 {
		name := fmt.Sprint("b-", i)
		completed(t, backup(t, h, name, velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
		got := slices.DeleteFunc(contents(t, h, name), func(key string) bool { return !strings.HasPrefix(key, "configmaps ") })
		foreign := slices.ContainsFunc(got, func(key string) bool { return strings.Contains(key, "/second-") })
		if n := len(slices.DeleteFunc(got, func(key string) bool { return !strings.Contains(key, "/first-") })); foreign || n != objectsEach {
			t.Errorf("%s: %d of %d objects of the cluster, of the other: %v", name, n, objectsEach, foreign)
		}
		refused(t, byQueue, "serves the cluster with the uid "+ours, "has the uid "+otherUID, "a name of its own", "stop that worker")
		refused(t, byBucket, "to the cluster with the uid "+ours, "has the uid "+otherUID, "a name of its own", "replacesCluster: "+ours)
	}
}

// refused starts a worker, which has to end and say why.
func refused(t *testing.T, h *harness.Harness, words ...string) {
	t.Helper()
	w, err := h.StartWorker(t.Context())
	if err == nil {
		w.Kill()
		t.Fatal("the worker of another cluster runs")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("no %q in %v", word, err)
		}
	}
}

func connectKube(t *testing.T, s *stack.Stack) *kube.Client {
	t.Helper()
	rc, err := kube.Config(s.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := kube.New(rc, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func identityOf(t *testing.T, c *kube.Client) string {
	t.Helper()
	uid, err := c.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return uid
}

// fill makes a namespace with ConfigMaps of a prefix.
func fill(t *testing.T, c *kube.Client, ns, prefix string) {
	t.Helper()
	create := func(r kube.Resource, in, body string) {
		if _, err := c.Create(t.Context(), r, in, []byte(body), kube.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	create(kube.Resource{Version: "v1", Name: "namespaces", Kind: "Namespace"}, "", fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, ns))
	for i := range objectsEach {
		create(kube.ConfigMaps(), ns, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s-%d"}}`, prefix, i))
	}
}

// TestPrefixRolledOut: while a new prefix is rolled out, workers with the old one and with
// the new one serve the cluster. Every backup completes in one place or the other, lists do
// not alternate, and both workers are named.
func TestPrefixRolledOut(t *testing.T) {
	t.Parallel()
	l := shared
	before := l.Beside(t, harness.Options{Cluster: "rolled", Prefix: "before-" + l.ID}).Harness
	after := l.Beside(t, harness.Options{Cluster: "rolled", Prefix: "after-" + l.ID})
	old, latest := 0, 0
	for i := range 10 {
		name := fmt.Sprint("b-", i)
		completed(t, backup(t, before, name, velerov1.BackupSpec{IncludedNamespaces: []string{"kube-public"}}))
		inOld, inNew := len(keysIn(t, before.Store, "backups/"+name+"/")) > 0, len(keysIn(t, after.Store, "backups/"+name+"/")) > 0
		switch {
		case inOld == inNew:
			t.Errorf("%s: in the old place %v, in the new one %v", name, inOld, inNew)
		case inOld:
			old++
			open(t, before, name)
		default:
			latest++
			open(t, after.Harness, name)
		}
	}
	t.Logf("%d backups in the old place, %d in the new one", old, latest)
	for range 10 {
		rows := strings.Split(strings.TrimSpace(ask(t, before, 0, nil, "backup", "get", "-o", "name").Out), "\n")
		if got := len(slices.DeleteFunc(rows, func(r string) bool { return r == "" })); got != latest {
			t.Errorf("%d backups listed, the newest configuration has %d", got, latest)
		}
	}
	both := []string{"warning: workers of cluster", fmt.Sprint(after.Worker.PID(), "@")}
	for _, args := range [][]string{{"version"}, {"location", "get"}} {
		eventually(t, "both workers are named", func() error { // Temporal shows who has polled lately: on a busy machine not always both
			res, err := before.CLI(t.Context(), args...)
			if err == nil && (res.Code != 0 || !strings.Contains(res.Out+res.Err, both[0]) || !strings.Contains(res.Out+res.Err, both[1])) {
				err = fmt.Errorf("lifeboat %v: exit %d: %s%s", args, res.Code, res.Out, res.Err)
			}
			return err
		})
	}
	for _, dir := range []string{"staging/", "claims/"} {
		if left := append(keysIn(t, before.Store, layout.PluginDir+dir), keysIn(t, after.Store, layout.PluginDir+dir)...); len(left) > 0 {
			t.Errorf("left in the bucket: %v", left)
		}
	}
}
