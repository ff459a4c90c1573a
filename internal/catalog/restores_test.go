package catalog

import (
	"fmt"
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
