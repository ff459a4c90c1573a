package main

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// TestModules: every module is there, in the version that was linked, with the standard library.
func TestModules(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.27.3", Path: "example.org/product/worker", Main: debug.Module{Path: "example.org/product", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "example.org/a", Version: "v1.2.3"},
			{Path: "example.org/b", Version: "v2.0.0+incompatible"},
			{Path: "example.org/c", Version: "v1.0.0", Replace: &debug.Module{Path: "example.org/fork", Version: "v1.0.1"}},
		},
	}
	b := billOf(info, "v9.8.7")
	if c := b.Metadata.Component; c.Name != "example.org/product/worker" || c.PURL != "pkg:golang/example.org/product@v9.8.7" {
		t.Errorf("program %+v", c)
	}
	want := []string{"pkg:golang/std@1.27.3", "pkg:golang/example.org/a@v1.2.3", "pkg:golang/example.org/b@v2.0.0%2Bincompatible", "pkg:golang/example.org/fork@v1.0.1"}
	for i, c := range b.Components {
		if i >= len(want) || c.PURL != want[i] {
			t.Errorf("component %d is %s", i, c.PURL)
		}
	}
	if len(b.Components) != len(want) {
		t.Errorf("%d components", len(b.Components))
	}
}

// TestProgram reads a real program, this one, twice.
func TestProgram(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := run([]string{program, "v1.0.0"}, out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) || !json.Valid(first.Bytes()) || !strings.Contains(first.String(), `"name": "std"`) {
		t.Errorf("%s\n%s", first.String(), second.String())
	}
	if err := run([]string{"main.go", "v1.0.0"}, &first); err == nil {
		t.Error("a text has a bill of materials")
	}
}
