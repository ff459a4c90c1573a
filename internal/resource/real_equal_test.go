//go:build stack

package resource

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
)

// TestRealClusterEqualsItself runs every object of a whole cluster, the control
// plane's own included, through backup and restore rules: compared with the live
// object none may differ, or a restore into an untouched cluster would warn.
func TestRealClusterEqualsItself(t *testing.T) {
	api := newAPI(t)
	r, total := NewRegistry(), 0
	for _, kind := range api.discover() {
		answer := api.get(kind.path)
		for _, live := range objects(answer, "items") {
			want := runtime.DeepCopyJSON(live)
			r.Backup(kind.resource, want)
			out, err := r.Restore(&Context{Backup: "b", Restore: "r"}, kind.resource, want)
			if err != nil {
				t.Errorf("%s %s: %v", kind.resource, name(live), err)
			}
			total++
			if out.Skipped() {
				continue
			}
			if patch := r.MergePatch(kind.resource, live, want); patch != nil {
				t.Errorf("%s %s differs from itself by %v", kind.resource, name(live), patch)
			}
		}
	}
	if total < 150 { // an empty cluster has about 190
		t.Errorf("only %d objects seen", total)
	}
	t.Logf("%d objects", total)
}

type listed struct{ resource, path string }

// discover lists the types that a backup would store.
func (a *api) discover() []listed {
	a.t.Helper()
	kinds := a.types("/api/v1", "")
	for _, group := range objects(a.get("/apis"), "groups") {
		version := str(child(group, "preferredVersion"), "groupVersion")
		kinds = append(kinds, a.types("/apis/"+version, "."+str(group, "name"))...)
	}
	return kinds
}

func (a *api) types(path, suffix string) []listed {
	var kinds []listed
	for _, resource := range objects(a.get(path), "resources") {
		verbs := list(resource, "verbs")
		plural := str(resource, "name")
		if strings.Contains(plural, "/") || !slices.Contains(verbs, any("list")) || !slices.Contains(verbs, any("create")) {
			continue
		}
		kinds = append(kinds, listed{resource: plural + suffix, path: path + "/" + plural})
	}
	return kinds
}
