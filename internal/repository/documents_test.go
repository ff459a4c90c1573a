package repository_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
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

// A request of a lost attempt may arrive between the next one's look and its write. In a bucket that
// keeps versions, or locks them, a second write of the file would show.
func TestComposeBesideALostAttempt(t *testing.T) {
	segments := []archive.Segment{{Inline: []byte("index"), Size: 5}}
	for name, tc := range map[string]struct{ before, meanwhile, want string }{
		"nothing":                {"", "", "index"},
		"there":                  {"older", "", "older"},
		"arrives":                {"", "first", "first"},
		"another length":         {"other bytes", "", "index"},
		"another length arrives": {"", "other bytes", "index"},
	} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			if tc.before != "" {
				st.Set("file", []byte(tc.before))
			}
			asked := 0
			st.Intercept(func(_ context.Context, r memstore.Request) error {
				if r.Op == memstore.OpCompose {
					if asked++; asked == 1 && tc.meanwhile != "" {
						st.Set("file", []byte(tc.meanwhile))
					}
				}
				return nil
			})
			if err := repository.Compose(t.Context(), st, "file", segments); err != nil {
				t.Fatal(err)
			}
			if got, _ := st.Object("file"); string(got) != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
