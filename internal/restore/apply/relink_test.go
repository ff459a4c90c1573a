package apply

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// TestRefusedLinks: an object whose owners the server does not take is a reason, told
// without the Secret that the refusal quotes; one that changed in between is read
// again; all others are linked.
func TestRefusedLinks(t *testing.T) {
	const value = "czNjcjN0LWRvLW5vdC10ZWxs" // in base64, as a policy sees it
	s := &apiServer{patched: func(key string, n int) (int, string) {
		switch {
		case key == "secrets/denied":
			return http.StatusForbidden, "policy denied request: will not have " + value
		case key == "secrets/invalid":
			return http.StatusUnprocessableEntity, "only one controller is allowed"
		case key == "secrets/busy" && n < 3, key == "secrets/hectic":
			return http.StatusConflict, "the object has been modified"
		}
		return 0, ""
	}}
	a := applierOf(t, s, false, configMapsNamed("owner")...)
	s.put(t, "configmaps/owner", "ConfigMap", "", "")
	l := &linker{a: a}
	names := []string{"busy", "denied", "hectic", "invalid", "quiet"}
	for _, name := range names {
		s.put(t, "secrets/"+name, "Secret", "", `,"data":{"password":"`+value+`"}`)
		rec := restore.Record{Resource: "secrets", APIVersion: "v1", Kind: "Secret", Namespace: "n", Name: name, Owners: []resource.OwnerRef{
			{APIVersion: "v1", Kind: "ConfigMap", Name: "owner"}, {APIVersion: "v1", Kind: "ConfigMap", Name: "other"},
		}}
		if err := l.link(t.Context(), rec); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var refused []string
	for _, rec := range l.out {
		missing := rec.Reasons[0]
		if missing.Code != report.OwnerMissing || missing.IsError() {
			t.Errorf("no word on the owner that is missing: %+v", rec.Reasons)
		}
		for _, r := range rec.Reasons[1:] {
			refused = append(refused, r.Name)
			if r.Code != report.OwnerRefused || !r.IsError() || strings.Contains(r.Message, value) {
				t.Errorf("%+v", r)
			}
		}
	}
	if want := []string{"denied", "hectic", "invalid"}; !slices.Equal(refused, want) || len(l.out) != len(names) {
		t.Errorf("refused %v of %d, want %v", refused, len(l.out), want)
	}
	for _, name := range names {
		meta, _ := s.objs["secrets/"+name]["metadata"].(map[string]any)
		refs, _ := meta["ownerReferences"].([]any)
		if linked := len(refs) == 1; linked == slices.Contains(refused, name) {
			t.Errorf("%s: owners %v", name, refs)
		}
	}
	if n := s.calls["PATCH secrets/hectic"]; n != linkTries {
		t.Errorf("%d tries of an object that keeps changing", n)
	}
}

// TestOutages: only a server that cannot answer is worth the retry of an activity, and
// its error repeats nothing that was said about an object.
func TestOutages(t *testing.T) {
	s := &apiServer{patched: func(string, int) (int, string) { return http.StatusServiceUnavailable, "quoted" }}
	a := applierOf(t, s, false, configMapsNamed("owner")...)
	s.put(t, "configmaps/owner", "ConfigMap", "", "")
	s.put(t, "secrets/s", "Secret", "", "")
	rec := restore.Record{Resource: "secrets", APIVersion: "v1", Kind: "Secret", Namespace: "n", Name: "s", Owners: []resource.OwnerRef{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner"}}}
	l := &linker{a: a}
	if err := l.link(t.Context(), rec); err != nil || len(l.out) != 1 || l.out[0].Reasons[0].Code != report.OwnerRefused {
		t.Errorf("a webhook that does not answer: %v, %+v", err, l.out)
	}
	s.mu.Lock()
	s.dead = true
	s.mu.Unlock()
	if err := l.link(t.Context(), rec); err == nil || strings.Contains(err.Error(), "quoted") {
		t.Errorf("a server that does not answer: %v", err)
	}
}
