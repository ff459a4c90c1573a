package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestReasonReadsAsOneLine(t *testing.T) {
	base := Reason{Code: Forbidden, Message: "create: secrets is forbidden.\n", Next: "grant it"}
	for want, r := range map[string]Reason{
		"[FORBIDDEN] secrets bookstore/db: create: secrets is forbidden. Next: grant it": base.At("secrets", "bookstore", "db"),
		"[FORBIDDEN] clusterroles admin: create: secrets is forbidden. Next: grant it":   base.At("clusterroles", "", "admin"),
		"[FORBIDDEN] pods in namespace shop: create: secrets is forbidden. Next: grant it": base.
			At("pods", "shop", ""),
		"[FORBIDDEN] namespace shop: create: secrets is forbidden. Next: grant it": base.At("", "shop", ""),
		"[FORBIDDEN] pods: create: secrets is forbidden. Next: grant it":           base.At("pods", "", ""),
		"[FORBIDDEN] create: secrets is forbidden. Next: grant it":                 base,
		"[X] said": {Code: "X", Message: "said"},
	} {
		if got := r.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Every constant of type Code needs a severity and a next step.
func TestEveryCodeIsInTheTableOnce(t *testing.T) {
	declared := map[string]Code{}
	ast.Inspect(parseFile(t, "code.go"), func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			declared[v.Names[0].Name] = Code(strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	var listed []string
	ast.Inspect(parseFile(t, "defaults.go"), func(n ast.Node) bool {
		if row, ok := n.(*ast.CompositeLit); ok && row.Type == nil {
			listed = append(listed, row.Elts[0].(*ast.Ident).Name)
		}
		return true
	})
	slices.Sort(listed)
	if names := slices.Sorted(maps.Keys(declared)); !slices.Equal(names, listed) {
		t.Errorf("declared %v\nin table %v", names, listed)
	}
	for _, c := range declared {
		d := c.defaults()
		if d.next == "" || d.severity != Warning && d.severity != Error {
			t.Errorf("%s has no severity or no next step", c)
		}
		if strings.ToUpper(string(c)) != string(c) || strings.HasSuffix(d.next, ".") {
			t.Errorf("%s: upper case code, next step without full stop", c)
		}
	}
}

func parseFile(t *testing.T, name string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestUnknownCodesAndSeveritiesWeighAsErrors(t *testing.T) {
	if r := New("FROM_THE_FUTURE", "x"); r.Severity != Error || !r.IsError() || r.Next != "" {
		t.Errorf("got %+v", r)
	}
	if got := PhaseOf([]Reason{{Severity: "critical"}}); got != PartiallyFailed {
		t.Errorf("phase %s", got)
	}
}

func TestPhaseAndTally(t *testing.T) {
	warn, fail := New(GlobEmpty, "w"), New(ListFailed, "e")
	for _, c := range []struct {
		reasons []Reason
		phase   Phase
		counts  Counts
	}{
		{nil, Completed, Counts{}},
		{[]Reason{warn, warn}, Completed, Counts{Warnings: 2}},
		{[]Reason{warn, fail}, PartiallyFailed, Counts{Warnings: 1, Errors: 1}},
		{[]Reason{fail.As(Warning)}, Completed, Counts{Warnings: 1}},
	} {
		if got := PhaseOf(c.reasons); got != c.phase {
			t.Errorf("%v: phase %s", c.reasons, got)
		}
		if got := Tally(c.reasons); got != c.counts {
			t.Errorf("%v: counts %v", c.reasons, got)
		}
	}
}

func TestSortIsTotal(t *testing.T) {
	var all []Reason
	for _, code := range []Code{ListFailed, GlobEmpty, Forbidden} {
		for _, ns := range []string{"", "a", "b"} {
			all = append(all, New(code, "m").At("pods", ns, "x"), New(code, "n").At("", ns, ""))
		}
	}
	want := slices.Clone(all)
	Sort(want)
	if !want[0].IsError() || want[len(want)-1].IsError() {
		t.Error("errors do not come first")
	}
	for range 20 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		Sort(all)
		if !slices.Equal(all, want) {
			t.Fatal("order depends on the input's order")
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		_ = New(TooMany, "x")
	}
}
