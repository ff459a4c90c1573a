package drills_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

const cluster = "prod"

func file(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile("../../drill/evidence/testdata/files/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// write stores drills by number; one without a name of the corpus is no evidence.
func write(t *testing.T, st *memstore.Store, names ...string) {
	t.Helper()
	for i, name := range names {
		content := []byte("{}")
		if name != "" {
			content = file(t, name)
		}
		if err := drills.Write(t.Context(), st, cluster, int64(i)+1, content); err != nil {
			t.Fatal(err)
		}
	}
}

// TestList: the newest come first, also beyond nine; what is no evidence is told as such, and what
// is no drill of the cluster is not told.
func TestList(t *testing.T) {
	st := memstore.New()
	names := slices.Repeat([]string{"valid-full.json"}, 11)
	names[9] = ""
	write(t, st, names...)
	for _, key := range []string{"plugins/lifeboat/drills/prod/12.json", "plugins/lifeboat/drills/prod/-0000001.json", "plugins/lifeboat/drills/prod/x/00000013.json", "plugins/lifeboat/drills/prod/00000014.txt", drills.Key("prod2", 15)} {
		st.Set(key, file(t, "valid-full.json"))
	}
	for limit, want := range map[int]string{3: "[11 10 damaged 9]", 1: "[11]", 0: "[]"} {
		rows, err := drills.List(t.Context(), st, cluster, limit, func(f *drills.File) string {
			if f.Damage != nil {
				return fmt.Sprint(f.Sequence, " damaged")
			}
			return fmt.Sprint(f.Sequence)
		})
		if err != nil || fmt.Sprint(rows) != want {
			t.Errorf("%d: %v, %v", limit, rows, err)
		}
	}
	if all, err := drills.List(t.Context(), st, cluster, 99, func(f *drills.File) int64 { return f.Sequence }); err != nil || len(all) != 11 {
		t.Errorf("%v, %v", all, err)
	}
	st.Fail(memstore.Any, store.ErrUnavailable)
	if _, err := drills.List(t.Context(), st, cluster, 3, func(*drills.File) int { return 0 }); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("out of reach: %v", err)
	}
}

// TestLastPassed: the newest that has passed, behind failed and damaged ones.
func TestLastPassed(t *testing.T) {
	for name, tc := range map[string]struct {
		files []string
		most  int
		want  int64
	}{
		"none":          {nil, 9, 0},
		"the last":      {[]string{"valid-full.json", "valid-small.json"}, 9, 2},
		"behind others": {[]string{"valid-full.json", "valid-failed.json", ""}, 9, 1},
		"none passed":   {[]string{"valid-failed.json"}, 9, 0},
		"too long ago":  {[]string{"valid-full.json", "valid-failed.json", ""}, 2, 0},
	} {
		st := memstore.New()
		write(t, st, tc.files...)
		f, err := drills.LastPassed(t.Context(), st, cluster, tc.most)
		if err != nil || (f == nil) != (tc.want == 0) || f != nil && f.Sequence != tc.want {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// TestWriteOnce: evidence is never overwritten.
func TestWriteOnce(t *testing.T) {
	st := memstore.New()
	write(t, st, "valid-full.json")
	if err := drills.Write(t.Context(), st, cluster, 1, []byte("{}")); !errors.Is(err, store.ErrExists) {
		t.Error(err)
	}
}

// TestLastPassedLongAgo: drills of which a later one tells that they failed are not read.
func TestLastPassedLongAgo(t *testing.T) {
	e, err := evidence.Read(file(t, "valid-failed.json"))
	if err != nil {
		t.Fatal(err)
	}
	p := &e.Statement.Predicate
	for n, verdict := range map[int]evidence.Verdict{1: evidence.Passed, 2: evidence.Failed, 3: evidence.Failed} {
		p.Past = append(p.Past, evidence.Past{Sequence: evidence.Count(n), Evidence: evidence.DigestOf(nil), Asked: p.Drill.Asked, Verdict: verdict, Level: evidence.L1})
	}
	slices.SortFunc(p.Past, func(a, b evidence.Past) int { return int(a.Sequence - b.Sequence) })
	p.Chain.Sequence, p.Chain.Previous = 4, evidence.DigestOf(nil)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	last, err := evidence.Sign(e.Statement, key)
	if err != nil {
		t.Fatal(err)
	}
	st := memstore.New()
	write(t, st, "valid-full.json", "valid-failed.json", "valid-failed.json")
	if err := drills.Write(t.Context(), st, cluster, 4, last); err != nil {
		t.Fatal(err)
	}
	if f, err := drills.LastPassed(t.Context(), st, cluster, 2); err != nil || f == nil || f.Sequence != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}
