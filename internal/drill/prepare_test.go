package drill

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/rehearsaltest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// TestReadNamespaces: the list of resources tells them, and where there is none the tarball. What
// is missing for good, or damaged, is no reason to try for hours.
func TestReadNamespaces(t *testing.T) {
	of := layout.Backup{Name: "b"}
	for name, tc := range map[string]struct {
		list    string // "" is none
		tarball bool
		want    []string
		kind    string
	}{
		"list":     {`{"v1/ConfigMap":["web/c","shop/c"],"v1/Namespace":["empty"]}`, false, []string{"empty", "shop", "web"}, ""},
		"no list":  {"", true, []string{"shop"}, ""},
		"null":     {"null\n", true, []string{"shop"}, ""},
		"neither":  {"", false, nil, contract.ErrTypeNotFound},
		"no JSON":  {"{", true, nil, contract.ErrTypeCorrupt},
		"no lists": {`{"v1/Pod":null}`, true, []string{"shop"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			rehearsaltest.Put(t, st, "b", rehearsaltest.Parse(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"shop"}}`))
			if !tc.tarball {
				if err := st.Delete(t.Context(), of.Tarball()); err != nil {
					t.Fatal(err)
				}
			}
			if err := st.Delete(t.Context(), of.ResourceList()); err != nil {
				t.Fatal(err)
			}
			if tc.list != "" {
				st.Set(of.ResourceList(), rehearsaltest.Gzipped(t, tc.list))
			}
			got, err := readNamespaces(t.Context(), st, "b")
			if !slices.Equal(got, tc.want) || failure.TypeOf(err) != tc.kind || (err != nil) != (tc.kind != "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestCopyNames: a copy that is kept has the same name whenever it is made, and any other that of its day.
func TestCopyNames(t *testing.T) {
	monday := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		keep            *definition.Keep
		monday, tuesday string
	}{
		"not kept":      {nil, "restore-test-20260302-shop", "restore-test-20260303-shop"},
		"kept":          {&definition.Keep{}, "restore-test-shop", "restore-test-shop"},
		"kept as named": {&definition.Keep{Namespaces: map[string]string{"shop": "staging"}}, "staging", "staging"},
	} {
		for day, want := range map[time.Time]string{monday: tc.monday, monday.AddDate(0, 0, 1): tc.tuesday} {
			got, err := mapNamespaces(&definition.Spec{Keep: tc.keep}, []string{"shop"}, day)
			if err != nil || got["shop"] != want {
				t.Errorf("%s, %s: %v, %v", name, day.Weekday(), got, err)
			}
		}
	}
}

// TestOtherRuns: a run under another id than that of the cluster's drills is refused, so that none overlap.
func TestOtherRuns(t *testing.T) {
	s := &Service{Config: &config.Config{Cluster: "prod"}}
	_, err := s.Prepare(t.Context(), contract.PrepareDrillInput{Run: contract.Run{WorkflowID: "x"}})
	if failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), "drill:prod") {
		t.Error(err)
	}
}
