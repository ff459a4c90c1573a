package restore

import (
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// A rule that met no object is one warning, which names what may have been meant.
func TestUnmetModifiers(t *testing.T) {
	const rule = "  mergePatches: [{patchData: 'a: b'}]\n"
	modifiers := "version: v1\nresourceModifierRules:\n"
	for _, gr := range []string{"Ingresses", "ingresses", "Deployment", "configmaps", "things.example.com", "namespaces"} {
		modifiers += "- conditions: {groupResource: " + gr + "}\n" + rule
	}
	st := memstore.New()
	s := &Run{St: st, Stage: repository.NewStaging(st, "uid")}
	s.Changes.Modifiers = modifiers
	records := []Record{
		{Resource: "ingresses.networking.k8s.io", Kind: "Ingress", Namespace: "n", Name: "web", Action: "created"},
		{Resource: "deployments.apps", Kind: "Deployment", Namespace: "n", Name: "web", Action: "created"},
		{Resource: "configmaps", Kind: "ConfigMap", Namespace: "n", Name: "c", Action: "created", Modifiers: []int{3}},
	}
	if err := s.PutRecords(t.Context(), contract.ApplyTaskInput{}, 0, records); err != nil {
		t.Fatal(err)
	}
	res, err := s.collectResults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range res.reasons {
		if r.Code != report.ModifierUnused || r.IsError() {
			t.Errorf("%+v", r)
		}
		got = append(got, strings.TrimPrefix(r.Message, "resourceModifierRules"))
	}
	want := []string{
		"[0], for Ingresses, met no object of this restore; it has objects of ingresses.networking.k8s.io",
		"[1], for ingresses, met no object of this restore; it has objects of ingresses.networking.k8s.io",
		"[2], for Deployment, met no object of this restore; it has objects of deployments.apps",
		"[4], for things.example.com, met no object of this restore",
		"[5], for namespaces, met no object of this restore",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	s.Restore.DryRun = true // it makes no namespaces, so nothing is known of these
	if res, err := s.collectResults(t.Context()); err != nil || len(res.reasons) != 4 {
		t.Errorf("%+v, %v", res, err)
	}
}
