package restore

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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

// The list of objects says what Velero's does, and behind it why an object was left alone or
// what it is without.
func TestNotesInTheResourceList(t *testing.T) {
	st := memstore.New()
	s := &Run{St: st, Stage: repository.NewStaging(st, "uid")}
	record := func(name, action, reason string) Record {
		return Record{Resource: "things", APIVersion: "v1", Kind: "Thing", Namespace: "n", Name: name, Action: action, Reason: reason, DroppedFinalizers: []string{"example.com/a", "example.com/b"}}
	}
	plain := record("plain", "created", "")
	plain.DroppedFinalizers = nil
	records := []Record{plain, record("dropped", "created", ""), record("patched", "updated", ""), record("there", "skipped", "already there, equal")}
	if err := s.PutRecords(t.Context(), contract.ApplyTaskInput{}, 0, records); err != nil {
		t.Fatal(err)
	}
	res, err := s.collectResults(t.Context())
	want := []string{"n/dropped(created) without finalizer example.com/a, example.com/b", "n/patched(updated)", "n/plain(created)", "n/there(skipped) already there, equal"}
	if err != nil || !slices.Equal(res.list["v1/Thing"], want) {
		t.Errorf("%q, %v", res.list, err)
	}
}

// A right that is missing is one reason, in the result and in Velero's file, and a line each
// in the log.
func TestOneReasonACause(t *testing.T) {
	st := memstore.New()
	s := &Run{St: st, Stage: repository.NewStaging(st, "uid")}
	var records []Record
	for i := range 522 {
		name := fmt.Sprint("o", i)
		refused := report.New(report.Forbidden, `create namespace n: namespaces is forbidden: User "w" cannot create resource "namespaces" in API group "" at the cluster scope`)
		records = append(records, Record{Resource: "configmaps", APIVersion: "v1", Kind: "ConfigMap", Namespace: "n", Name: name, Action: "failed", Reasons: []report.Reason{refused.At("configmaps", "n", name)}})
	}
	if err := s.PutRecords(t.Context(), contract.ApplyTaskInput{}, 0, records); err != nil {
		t.Fatal(err)
	}
	res, err := s.collectResults(t.Context())
	if err != nil || len(res.reasons) != 1 || len(res.all) != 522 || len(res.list["v1/ConfigMap"]) != 522 {
		t.Fatalf("%+v, %v", res.reasons, err)
	}
	in := contract.FinishRestoreInput{Counts: contract.Counts{Failed: 522}}
	in.Completed = s.Run.Started.Add(1234567 * time.Microsecond)
	if took := restoreResource(s, in, res).Annotations[repository.AnnotationDuration]; took != "1.235s" {
		t.Errorf("it took %s", took)
	}
	if doc := restoreResource(s, in, res); doc.Status.Errors != 1 || doc.Status.Phase != "PartiallyFailed" || !strings.Contains(restoreResult(doc, in, res).Reasons[0], "522 times (configmaps n/o0, ") {
		t.Errorf("%+v", doc.Status)
	}
}
