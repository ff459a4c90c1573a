package repository_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// A document that is far larger than any of Velero's is not read: it is shown as unreadable, and
// hides no other backup.
func TestHugeDocument(t *testing.T) {
	st := memstore.New()
	st.Set(layout.Backup{Name: "a"}.Metadata(), []byte(`{"metadata":{"name":"a"},"status":{"phase":"Completed"}}`))
	huge := append([]byte(`{"metadata":{"name":"`), bytes.Repeat([]byte("x"), 5<<20)...)
	st.Set(layout.Backup{Name: "b"}.Metadata(), append(huge, `"}}`...))
	docs, err := repository.ReadBackups(t.Context(), st)
	if err != nil || len(docs) != 2 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	for _, d := range docs {
		if want := map[string]string{"a": "Completed", "b": repository.PhaseUnreadable}[d.Name]; string(d.Status.Phase) != want {
			t.Errorf("%s: phase %s, want %s", d.Name, d.Status.Phase, want)
		}
	}
	if read := st.Stats().BytesRead; read > 1<<20 {
		t.Errorf("%d bytes were read", read)
	}
}

// strictDocument knows one field, as the input of a backup does.
type strictDocument struct{ Name string }

func (d *strictDocument) UnmarshalJSON(data []byte) error {
	if !strings.Contains(string(data), `"name"`) {
		return errors.New(`unknown field "new"`)
	}
	return nil
}

// A staged document that a newer worker wrote is not damaged: another worker goes on with it.
func TestStagedByAnotherVersion(t *testing.T) {
	st := memstore.New()
	stage := repository.NewStaging(st, "uid")
	for body, final := range map[string]string{`{"new":1}`: "", `{"name":`: "CorruptArchive"} {
		st.Set(stage.Key("plan.json"), []byte(body))
		err := stage.Get(t.Context(), "plan.json", &strictDocument{})
		if err == nil || failure.TypeOf(err) != final {
			t.Errorf("%s: type %q, want %q: %v", body, failure.TypeOf(err), final, err)
		}
	}
}
