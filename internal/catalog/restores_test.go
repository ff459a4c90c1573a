package catalog

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// Of two restores of one name in two locations none is lost where a page ends between them.
func TestRestoresInPages(t *testing.T) {
	stores := repositorytest.Stores{"default": memstore.New(), "west": memstore.New()}
	for i := range rowsPerPage {
		name := fmt.Sprintf("r-%05d", i)
		doc := fmt.Appendf(nil, `{"metadata":{"name":%q},"status":{"phase":"Completed"}}`, name)
		stores["default"].Set(repository.RestoreDocumentKey(name), doc)
		if i == rowsPerPage-1 {
			stores["west"].Set(repository.RestoreDocumentKey(name), doc)
		}
	}
	c, in, rows := readerOver(stores), contract.ReadInput{Verb: contract.ReadRestores}, 0
	for pages := 1; ; pages++ {
		res, err := c.Read(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		rows += len(res.Restores)
		if in.Continue = res.Continue; in.Continue != "" {
			continue
		}
		if rows != rowsPerPage+1 || pages != 2 {
			t.Errorf("%d rows of %d in %d pages", rows, rowsPerPage+1, pages)
		}
		return
	}
}

// The results of a backup with problems in thousands of namespaces fit into an answer, and say
// how many they leave out.
func TestResultsAreCut(t *testing.T) {
	doc := map[string]map[string]json.RawMessage{}
	for _, kind := range []string{"errors", "warnings"} {
		byNamespace := map[string][]string{}
		for i := range 5000 {
			byNamespace[fmt.Sprintf("ns-%04d", i)] = []string{strings.Repeat("x", 5000)}
		}
		raw, err := json.Marshal(byNamespace)
		if err != nil {
			t.Fatal(err)
		}
		doc[kind] = map[string]json.RawMessage{"namespaces": raw, "velero": []byte(`["first"]`)}
	}
	out, err := json.Marshal(cutResults(doc))
	if err != nil || len(out) > 3<<19 || !strings.Contains(string(out), "and 4501 lines more") || !strings.Contains(string(out), "first") {
		t.Errorf("%d bytes, %v; ends %s", len(out), err, out[max(len(out)-200, 0):])
	}
}
