package main

import (
	"slices"
	"strings"
	"testing"
)

func TestImports(t *testing.T) {
	for name, tc := range map[string]struct {
		from, to, want string
	}{
		"down":                     {"worker", "activities", ""},
		"down, over layers":        {"activities", "internal/report", ""},
		"a step's use case":        {"internal/backup/export", "internal/backup", ""},
		"a use case's step":        {"internal/backup", "internal/backup/export", "against the layers"},
		"up":                       {"internal/store", "activities", "against the layers"},
		"a driver of the model":    {"internal/volume/csi", "internal/volume", ""},
		"the model of a driver":    {"internal/volume", "internal/volume/csi", "against the layers"},
		"beside":                   {"internal/restore/apply", "internal/restore/hooks", "beside it"},
		"beside, other use case":   {"internal/backup/export", "internal/restore/apply", "beside it"},
		"beside, listed":           {"internal/backup/snapshot", "internal/backup/quiesce", ""},
		"listed the other way":     {"internal/backup/quiesce", "internal/backup/snapshot", "beside it"},
		"below a listed path":      {"starter/internal/show", "starter/internal/manifest", ""},
		"support of tests":         {"internal/store/storetest", "internal/store", ""},
		"of the support of tests":  {"internal/backup", "internal/kube/kubetest", "against the layers"},
		"of one without a layer":   {"internal/backup", "internal/unknown", ""},
		"by one without a layer":   {"internal/unknown", "worker", ""},
		"pure, of one that reads":  {"internal/volume", "internal/kube", "against the layers"},
		"a use case of the quota":  {"internal/backup/snapshot", "internal/aws/ebs/quota", ""},
		"EC2 of its own quota":     {"internal/aws/ebs", "internal/aws/ebs/quota", ""},
		"a repository of a driver": {"internal/repository", "internal/volume/native", "against the layers"},
	} {
		got := productRules().checkImport(use{tc.from, tc.to})
		if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

// A pattern that stands twice, or a pair that the layers allow anyway, is a mistake in the
// table.
func TestTableOfTheProduct(t *testing.T) {
	r, seen := productRules(), map[string]bool{}
	for _, l := range r.Layers {
		for _, path := range l.Packages {
			if seen[path] {
				t.Errorf("%s stands twice", path)
			}
			seen[path] = true
		}
	}
	for _, b := range r.Beside {
		from, to := strings.TrimSuffix(b.From, "...")+"x", strings.TrimSuffix(b.To, "...")
		if !strings.HasSuffix(b.From, "...") {
			from = b.From
		}
		if r.layer(from) < 0 || r.layer(from) != r.layer(to) {
			t.Errorf("%s and %s are not in one layer", b.From, b.To)
		}
	}
}

func TestCheck(t *testing.T) {
	r := rules{
		MaxLines: 100, Limits: map[string]int{"small": 10, "gone": 5},
		Layers: []layer{{"top", []string{"small"}}, {"bottom", []string{"large", "fits"}}},
	}
	got := r.check([]goPackage{
		{Path: "small", Lines: 11, Imports: []string{"fits"}},
		{Path: "large", Lines: 101, Imports: []string{"small"}},
		{Path: "fits", Lines: 100},
		{Path: "new", Lines: 1},
	})
	want := []string{
		"small has 11 lines; the limit is 10", "large has 101 lines; the limit is 100", `large (layer "bottom") imports small`,
		"new has no layer", "the limit of gone is of no package",
	}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

// TestDriversAreReserved: a volume driver is imported by the registry that makes drivers, and by whom
// the rule names with a reason.
func TestDriversAreReserved(t *testing.T) {
	for importer, allowed := range map[string]bool{
		"internal/volume/drivers": true, "internal/garbage/orphan": true,
		"internal/volume/location": false, "internal/volume/native": false, "internal/deletion": false, "internal/backup/snapshot": false, "worker": false,
	} {
		p := goPackage{Path: importer, Mentions: []mention{{"a.go:3", `"github.com/lifeboat-backup/lifeboat/internal/volume/csi"`}}}
		if got := productRules().checkReserved([]goPackage{p}); (len(got) == 0) != allowed {
			t.Errorf("%s: got %q", importer, got)
		}
	}
}

func TestCitationsHaveSections(t *testing.T) {
	text := "package p\n\n// a cites docs/A.md 2.1 and docs/A.md 3.\n// b cites docs/GONE.md 1\n// c cites docs/A.md, which needs no number\n"
	p := goPackage{Path: "p", Citations: citations("p/p.go", []byte(text))}
	sections := map[string]map[string]bool{"docs/A.md": headings([]byte("# A\n\n## 2. Two\n\n### 2.1 Two one\n\ntext 3. no heading\n"))}
	want := []string{"p/p.go:3 cites docs/A.md 3, which has no such section", "p/p.go:4 cites docs/GONE.md 1, which has no such section"}
	if got := checkCitations([]goPackage{p}, sections); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFamiliesOfFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		files []string
		want  []family
	}{
		"none":                      {[]string{"a.go", "a_b.go", "a_c.go", "a_d.go"}, nil},
		"four":                      {[]string{"a_b.go", "a_c.go", "a_d.go", "a_e.go"}, []family{{"a_", 4}}},
		"a file and its test":       {[]string{"a_b.go", "a_b_test.go", "a_c.go", "a_c_test.go"}, nil},
		"tests alone":               {[]string{"a_b_test.go", "a_c_test.go", "a_d_test.go", "a_e_test.go"}, []family{{"a_", 4}}},
		"systems are no families":   {[]string{"a_linux.go", "a_darwin.go", "a_windows.go", "a_unix.go"}, nil},
		"a family within a family":  {[]string{"a_b_c.go", "a_b_d.go", "a_b_e.go", "a_b_f.go", "a_g.go"}, []family{{"a_", 5}, {"a_b_", 4}}},
		"the bare name is no child": {[]string{"a.go", "a_b.go", "a_c.go", "a_d.go"}, nil},
	} {
		if got := families(tc.files); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

func TestOneWord(t *testing.T) {
	for name, want := range map[string]bool{
		"take": true, "x": true, "takeSnapshot": false, "s3": false, "v2beta": false, "with_underscore": false, "readURL": false,
	} {
		if got := oneWord(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
