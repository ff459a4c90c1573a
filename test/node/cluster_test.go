//go:build stack

package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// patience is how long anything on a cluster may take on a busy machine.
const patience = 2 * time.Minute

// within repeats until a check holds, and fails the test with the last reason.
func within(t *testing.T, limit time.Duration, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(250 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// cluster is one control plane as a test uses it, with or without its Lifeboat.
type cluster struct{ *harness.Harness }

// plain is the shared stack's cluster without a worker.
func plain(t *testing.T) cluster {
	t.Helper()
	return on(t, shared, harness.Binaries{}, harness.Options{Cluster: "plain"})
}

// clusterNames has the test of each Lifeboat's name.
var clusterNames sync.Map

// on is a Lifeboat of a test's own. Its name is no other test's: two of one name would share a bucket
// and a queue, and do each other's work.
func on(t *testing.T, s *stack.Stack, b harness.Binaries, o harness.Options) cluster {
	t.Helper()
	test, _, _ := strings.Cut(t.Name(), "/")
	if of, taken := clusterNames.LoadOrStore(o.Cluster, test); taken && of != test && b.Worker != "" {
		t.Fatalf("the name %s is that of %s", o.Cluster, of)
	}
	o.Cluster += "-" + id
	h, err := harness.New(t.Context(), s, b, t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return cluster{h}
}

// lifeboat is a cluster whose Lifeboat runs.
func lifeboat(t *testing.T, s *stack.Stack, o harness.Options) cluster {
	t.Helper()
	c := on(t, s, binaries(t), o)
	w, err := c.StartWorker(t.Context(), s.EBS.Environment()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Kill)
	return c
}

// kubectl runs kubectl and fails the test if it does.
func (c cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// applyIn applies a manifest into a namespace.
func (c cluster) applyIn(t *testing.T, namespace, manifest string) {
	t.Helper()
	if _, err := c.Kubectl(t.Context(), manifest, "apply", "--namespace", namespace, "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// namespace makes a namespace of the test's own, deleted when it is over.
func (c cluster) namespace(t *testing.T, short string) string {
	t.Helper()
	name := fmt.Sprintf("%s-%s-%05x", short, id, rand.IntN(1<<20)) // also with -count
	if err := c.Create(t.Context(), "namespaces", "", fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, name)); err != nil {
		t.Fatal(err)
	}
	c.forget(t, name)
	return name
}

// forget deletes a namespace when the test is over.
func (c cluster) forget(t *testing.T, name string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Delete(ctx, "namespaces", "", name); err != nil {
			t.Log(err)
		}
	})
}

// ready waits until a Pod is Ready; if it never is, the test says why.
func (c cluster) ready(t *testing.T, namespace, pod string) {
	t.Helper()
	_, err := c.Kubectl(t.Context(), "", "wait", "--namespace", namespace, "--for=condition=Ready", "pod/"+pod, fmt.Sprintf("--timeout=%s", patience))
	if err != nil {
		described, _ := c.Kubectl(t.Context(), "", "describe", "--namespace", namespace, "pod/"+pod)
		t.Fatalf("%v\n%s", err, described)
	}
}

// exec runs a command in a Pod's first container and returns what it printed. What it
// needs it gets as arguments: of what is piped into a command, some runtimes lose the
// whole when its end comes at once.
func (c cluster) exec(t *testing.T, namespace, pod string, command ...string) string {
	t.Helper()
	args := append([]string{"exec", "--quiet", "--namespace", namespace, pod, "--"}, command...)
	return strings.TrimSpace(c.kubectl(t, args...))
}

// write writes a file in a Pod's first container.
func (c cluster) write(t *testing.T, namespace, pod, path, text string) {
	t.Helper()
	c.exec(t, namespace, pod, "sh", "-c", `printf %s "$1" >"$0"`, path, text)
}
