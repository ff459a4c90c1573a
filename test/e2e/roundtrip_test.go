//go:build stack

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/compare"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// split cuts a manifest at the first document that contains a text.
func split(manifest, text string) (before, after string) {
	docs := strings.Split(manifest, "\n---\n")
	for i, d := range docs {
		if strings.Contains(d, text) {
			return strings.Join(docs[:i], "\n---\n"), strings.Join(docs[i:], "\n---\n")
		}
	}
	return manifest, ""
}

// TestRoundTrip loses namespaces and everything cluster-scoped around them, while
// the cluster's controllers run, and gets all of it back: objects before and after
// are compared field by field. Quotas and limits that no longer admit the old
// objects, and admission webhooks and policies that refuse everything in the
// namespace, come back as well.
func TestRoundTrip(t *testing.T) {
	l := shared
	names := l.namespaces(t, "a", "b")
	a, b := names.Replace("<a>"), names.Replace("<b>")
	around, admission := split(names.Replace(surroundings), "ValidatingWebhookConfiguration")
	l.applyClusterScoped(t, around)
	l.apply(t, names.Replace(application))
	l.apply(t, strings.ReplaceAll(names.Replace(application), a, b))
	l.ready(t, a, 3+2+2)
	l.ready(t, b, 3+2+2)
	l.apply(t, names.Replace(limits))
	l.own(t, a)
	l.applyClusterScoped(t, admission)

	before := l.take(t, []string{a, b}, "-"+l.ID, "gadgets.example.com")
	if kinds := before.Kinds(); kinds < 30 {
		t.Errorf("the sample has only %d kinds", kinds)
	}
	out, err := l.Run(t.Context(), "backup", "create", "roundtrip", "--include-namespaces", a+","+b, "--include-cluster-resources", "--wait")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, `Backup "roundtrip" Completed`) {
		t.Error(out)
	}
	l.deleteManifest(names.Replace(surroundings))
	l.deleteNamespaces(t, a, b)
	eventually(t, "definition gone", func() error {
		if l.Object(t, "customresourcedefinitions", "", "gadgets.example.com") != nil {
			return fmt.Errorf("still there")
		}
		return nil
	})

	out, err = l.Run(t.Context(), "restore", "create", "roundtrip", "--from-backup", "roundtrip", "--include-cluster-resources", "--wait")
	if err != nil {
		t.Fatalf("%v\n%v", err, restoreOutcomes(t, l.Harness, "roundtrip"))
	}
	if !strings.Contains(out, `Restore "roundtrip" from backup "roundtrip" Completed`) || !strings.Contains(out, "0 failed") {
		t.Error(out)
	}
	l.ready(t, a, 3+2+2)
	l.ready(t, b, 3+2+2)
	within(t, time.Minute, "the same objects as before", func() error {
		after := l.take(t, []string{a, b}, "-"+l.ID, "gadgets.example.com")
		if diff := compare.Diff(before, after); len(diff) > 0 {
			return fmt.Errorf("%d differences:\n%s\n%s", len(diff), strings.Join(diff, "\n"), strings.Join(restoreOutcomes(t, l.Harness, "roundtrip"), "\n"))
		}
		return nil
	})
	if left := slices.Concat(keysIn(t, l.Store, "plugins/lifeboat/staging/"), keysIn(t, l.Store, "plugins/lifeboat/claims/")); len(left) > 0 {
		t.Errorf("left in the bucket: %v", left)
	}
}

// own makes a gadget own another, as an operator would.
func (l *lab) own(t *testing.T, namespace string) {
	t.Helper()
	owner := l.Object(t, "gadgets.example.com", namespace, "one")
	child := map[string]any{
		"apiVersion": "example.com/v1", "kind": "Gadget",
		"metadata": map[string]any{"name": "child", "namespace": namespace, "ownerReferences": []any{map[string]any{
			"apiVersion": "example.com/v1", "kind": "Gadget", "name": "one", "uid": harness.At(owner, "metadata", "uid"),
			"controller": true, "blockOwnerDeletion": true,
		}}},
	}
	data, err := json.Marshal(child)
	if err != nil {
		t.Fatal(err)
	}
	l.apply(t, string(data))
}
