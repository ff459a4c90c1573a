package drill

import (
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
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
