package drill

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/drill/page"
)

// TestChecklist: the evidence of a drill has what the doctor answers, its page shows it, and what cannot be
// answered is unknown with the reason.
func TestChecklist(t *testing.T) {
	answers := func(all []contract.Check, err error) func(context.Context) ([]contract.Check, error) {
		return func(context.Context) ([]contract.Check, error) { return all, err }
	}
	twice := contract.Check{ID: "bucket", Question: "Is it versioned?", Answer: contract.AnswerNo, Found: "off", Remedy: "switch it on"}
	for name, tc := range map[string]struct {
		ask  func(context.Context) ([]contract.Check, error)
		want []evidence.Check
	}{
		"answered": {answers([]contract.Check{{ID: "backup", Question: "Is there a good backup?", Answer: contract.AnswerYes}, twice, twice}, nil), []evidence.Check{
			{ID: "backup", Question: "Is there a good backup?", Answer: "yes"},
			{ID: "bucket", Question: "Is it versioned?", Answer: "no", Found: "off", Remedy: "switch it on"},
			{ID: "bucket#2", Question: "Is it versioned?", Answer: "no", Found: "off", Remedy: "switch it on"},
		}},
		"not answered": {answers(nil, errors.New("no right to ask")), []evidence.Check{{ID: "checklist", Question: "Is the installation fit for production?", Answer: "unknown", Found: "no right to ask", Remedy: "lifeboat doctor"}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := passed()
			f.checklist = (&Service{Checklist: tc.ask}).askChecklist(t.Context())
			html := pageOf(t, f)
			if len(f.checklist) != len(tc.want) {
				t.Fatalf("%+v", f.checklist)
			}
			for i, c := range tc.want {
				if f.checklist[i] != c || !strings.Contains(html, c.Question) || !strings.Contains(html, c.Found) {
					t.Errorf("%+v, want %+v on the page", f.checklist[i], c)
				}
			}
		})
	}
}

// pageOf signs what a drill has found, and renders it.
func pageOf(t *testing.T, f *facts) string {
	t.Helper()
	file, err := evidence.Sign(f.statement(), ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := evidence.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := page.Render(&out, file, e, page.Options{}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
