package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// moduleOf writes a module with the product's directories.
func moduleOf(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func smallProduct() map[string]string {
	return map[string]string{
		"go.mod":                          "module example.org/m\n\ngo 1.26\n",
		"docs/VELERO.md":                  "## 2. The bucket\n\n### 2.1 Root\n",
		"worker/main.go":                  "package main\n\nimport _ \"example.org/m/activities\"\n\nfunc main() {}\n",
		"starter/main.go":                 "package main\n\nfunc main() {}\n",
		"workflows/w.go":                  "package workflows\n",
		"activities/a.go":                 "package activities\n\nimport _ \"example.org/m/internal/report\"\n\n// take cites docs/VELERO.md 2.1.\nfunc take() {}\n\nfunc (t) takeAll() {}\n\ntype t struct{}\n\nfunc (t) Take() { volume.Reserve() }\n",
		"activities/a_test.go":            "package activities\n\nimport _ \"example.org/m/worker/forbidden\"\n\nfunc helper() {}\n",
		"internal/report/report.go":       "package report\n\nimport _ \"fmt\"\n",
		"internal/report/open_windows.go": "package report\n\nfunc open() {}\n",
		"test/other.go":                   "package test\n",
	}
}

func TestReadPackages(t *testing.T) {
	root := moduleOf(t, smallProduct())
	got, err := readPackages(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []goPackage{
		{
			Path: "activities", Lines: 12, Imports: []string{"internal/report"}, Functions: []string{"take", "takeAll"}, Files: []string{"a.go", "a_test.go"},
			Citations: []citation{{"activities/a.go:5", "docs/VELERO.md", "2.1"}},
			Mentions:  []mention{{"activities/a.go:3", `"example.org/m/internal/report"`}, {"activities/a.go:12", "volume.Reserve"}},
		},
		{Path: "internal/report", Lines: 6, Functions: []string{"open"}, Files: []string{"report.go", "open_windows.go"}, Mentions: []mention{{"internal/report/report.go:3", `"fmt"`}}},
		{Path: "starter", Lines: 3, Files: []string{"main.go"}},
		{Path: "worker", Lines: 5, Imports: []string{"activities"}, Files: []string{"main.go"}, Mentions: []mention{{"worker/main.go:3", `"example.org/m/activities"`}}},
		{Path: "workflows", Lines: 1, Files: []string{"w.go"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestRun(t *testing.T) {
	for name, tc := range map[string]struct {
		file, text string
		want       int
	}{
		"good":                  {"docs/other.md", "", 0},
		"an import upwards":     {"internal/report/up.go", "package report\n\nimport _ \"example.org/m/internal/kube\"\n", 1},
		"a package too large":   {"activities/large.go", "package activities\n" + strings.Repeat("\n", 1000), 1},
		"a package of no layer": {"internal/unknown/u.go", "package unknown\n", 1},
		"a key of the bucket":   {"workflows/c.go", "package workflows\n\nconst key = \"backups/b\"\n", 1},
		"a technology":          {"workflows/c.go", "package workflows\n\nvar m = volume.MethodCSI\n", 1},
		"a driver":              {"activities/c.go", "package activities\n\nimport _ \"example.org/m/internal/volume/csi\"\n", 1},
		"a section not there":   {"workflows/c.go", "package workflows\n\n// See docs/VELERO.md 9.9.\n", 1},
		"no Go":                 {"workflows/c.go", "package workflows\n\nfunc {\n", 2},
	} {
		t.Run(name, func(t *testing.T) {
			files := smallProduct()
			files["internal/kube/kube.go"], files["internal/volume/csi/csi.go"] = "package kube\n", "package csi\n"
			for path := range productRules().Limits { // a limit has to be of a package
				if strings.HasPrefix(path, "internal/") { // the others are there
					files[path+"/limited.go"] = "package " + filepath.Base(path) + "\n"
				}
			}
			files[tc.file] = tc.text
			var out, problems bytes.Buffer
			got := run(moduleOf(t, files), &out, &problems)
			if got != tc.want || (got == 0) != (problems.Len() == 0) {
				t.Errorf("exit code %d, want %d; problems: %s", got, tc.want, problems.String())
			}
		})
	}
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	writeReport(&out, productRules(), []goPackage{
		{Path: "activities", Lines: 12, Imports: []string{"worker", "internal/report"}, Functions: []string{"take", "takeAll", "s3"}, Files: []string{"a_b.go", "a_c.go", "a_d.go", "a_e.go"}},
		{Path: "workflows", Lines: 3},
	})
	for _, want := range []string{"    12   1000          3          1   33 %  activities\n", "    15                 3          1   33 %  2 packages\n", "by another: 2, of them against the layers: 1", "activities/a_* (4)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
