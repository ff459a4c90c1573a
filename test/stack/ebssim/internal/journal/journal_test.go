package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestJournalSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.jsonl")
	j, records, err := Open(path)
	if err != nil || len(records) != 0 {
		t.Fatal(records, err)
	}
	for _, err := range []error{
		j.Put("a", "1", 1), j.Put("b", "1", "two"), j.Put("a", "1", 3), j.Put("a", "2", 4), j.Delete("a", "2"), j.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"kind":"a","id":"3","val`); err != nil { // a crash in the middle of a line
		t.Fatal(err)
	}
	file.Close()
	again, records, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if len(records) != 2 || string(records[0].Value) != "3" || string(records[1].Value) != `"two"` {
		t.Fatalf("got %+v", records)
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Count(text, []byte("\n")) != 2 {
		t.Fatalf("not compact: %s, %v", text, err)
	}
}

func TestDamageInTheMiddleIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.jsonl")
	if err := os.WriteFile(path, []byte("{\"kind\":\"a\",\"id\":\"1\",\"value\":1}\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path); err == nil {
		t.Fatal("damage was overlooked")
	}
}

// FuzzParse: any text is parsed or refused.
func FuzzParse(f *testing.F) {
	f.Add([]byte("{\"kind\":\"a\",\"id\":\"1\",\"value\":1}\n{\"kind\":\"a\",\"id\":\"1\"}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		records, err := parse(bytes.NewReader(text))
		for _, r := range records {
			if err == nil && len(r.Value) == 0 {
				t.Fatalf("a deleted record is alive: %+v", r)
			}
		}
	})
}
