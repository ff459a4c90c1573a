//go:build stack

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/compare"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// patience is for a machine that does other things as well.
const patience = 3 * time.Minute

// eventually looks until done says nil.
func eventually(t *testing.T, what string, done func() error) {
	t.Helper()
	within(t, patience, what, done)
}

func within(t *testing.T, patience time.Duration, what string, done func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := done()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v after %s", what, err, patience)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("%s: %v", what, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// namespaces makes up the names of a test's namespaces, short → real, and deletes
// them when the test is over. Two tests cannot have one name: they run at the same time.
func (l *lab) namespaces(t *testing.T, short ...string) *strings.Replacer {
	t.Helper()
	var pairs, names []string
	for _, s := range short {
		pairs = append(pairs, "<"+s+">", s+"-"+l.ID)
		names = append(names, s+"-"+l.ID)
		if other, taken := shared.takenBy.LoadOrStore(s, t.Name()); taken && other != t.Name() {
			t.Fatalf("namespace %s is that of %v, too", s, other)
		}
	}
	t.Cleanup(func() {
		l.kubectlLater(t, append([]string{"delete", "namespace", "--ignore-not-found", "--wait=false"}, names...)...)
	})
	return strings.NewReplacer(append(pairs, "<id>", l.ID)...)
}

// kubectl runs kubectl and fails the test if it does.
func (l *lab) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := l.Kubectl(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// kubectlLater runs in a clean-up, when the test's context is gone.
func (l *lab) kubectlLater(t *testing.T, args ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := l.Kubectl(ctx, "", args...); err != nil {
		t.Log(err)
	}
}

// apply applies a manifest; args are further flags.
func (l *lab) apply(t *testing.T, manifest string, args ...string) {
	t.Helper()
	eventually(t, "apply", func() error { // a definition just made may not be served yet
		_, err := l.Kubectl(t.Context(), manifest, append([]string{"apply", "-f", "-"}, args...)...)
		if err != nil && strings.Contains(err.Error(), "no matches for kind") {
			return err
		}
		if err != nil {
			t.Fatal(err)
		}
		return nil
	})
}

// applyClusterScoped is apply for what outlives namespaces; it is deleted when the
// test is over.
func (l *lab) applyClusterScoped(t *testing.T, manifest string) {
	t.Helper()
	t.Cleanup(func() { l.deleteManifest(manifest) })
	l.apply(t, manifest)
}

func (l *lab) deleteManifest(manifest string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, _ = l.Kubectl(ctx, manifest, "delete", "--ignore-not-found", "--wait=false", "-f", "-") // a type may be gone already
}

// deleteNamespaces deletes and waits until they are gone.
func (l *lab) deleteNamespaces(t *testing.T, names ...string) {
	t.Helper()
	l.kubectl(t, append([]string{"delete", "namespace", "--timeout=" + patience.String()}, names...)...)
}

// take takes the objects of some namespaces, and the cluster-scoped ones whose name
// ends in one of suffixes.
func (l *lab) take(t *testing.T, namespaces []string, suffixes ...string) compare.State {
	t.Helper()
	in := map[string]bool{}
	for _, ns := range namespaces {
		in[ns] = true
	}
	s, err := compare.Take(t.Context(), l.Kube, func(gr, ns, name string) bool {
		if ns != "" {
			return in[ns]
		}
		if gr == "namespaces" {
			return in[name]
		}
		for _, suffix := range suffixes {
			if strings.HasSuffix(name, suffix) {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ready waits until every Pod of a namespace is Ready or has ended, and claims are
// bound; at least n Pods are expected.
func (l *lab) ready(t *testing.T, namespace string, n int) {
	t.Helper()
	eventually(t, "pods of "+namespace, func() error {
		var pods struct {
			Items []struct {
				Metadata struct{ Name string }
				Status   struct {
					Phase      string
					Conditions []struct{ Type, Status string }
				}
			}
		}
		if err := json.Unmarshal([]byte(l.kubectl(t, "get", "pods", "-n", namespace, "-o", "json")), &pods); err != nil {
			return err
		}
		if len(pods.Items) < n {
			return fmt.Errorf("%d of %d pods", len(pods.Items), n)
		}
		for _, p := range pods.Items {
			ready := p.Status.Phase == "Succeeded"
			for _, c := range p.Status.Conditions {
				ready = ready || c.Type == "Ready" && c.Status == "True"
			}
			if !ready {
				return fmt.Errorf("pod %s is %s", p.Metadata.Name, p.Status.Phase)
			}
		}
		return nil
	})
}

// temporal runs the Temporal CLI as an operator would.
func (l *lab) temporal(t *testing.T, args ...string) (string, error) {
	t.Helper()
	bin, err := stack.Binary("temporal")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, append(args, "--address", l.Stack.Temporal.Address, "--namespace", l.Stack.Temporal.Namespace)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// cleanupContext is a context that also lives in a clean-up.
func cleanupContext(t *testing.T) context.Context {
	if t.Context().Err() == nil {
		return t.Context()
	}
	return context.Background()
}
