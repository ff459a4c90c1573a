package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBinIsAsBuilt: what the demo leaves in bin/ is what `make build` makes of the version that
// `make demo` was asked for, so that nobody finds programs there that do not know their version.
func TestBinIsAsBuilt(t *testing.T) {
	const version = "v9.8.7-demo"
	path, err := exec.LookPath("make")
	if err != nil {
		t.Skip("make is not installed")
	}
	dir := t.TempDir()
	would := filepath.Join(dir, "would")
	script := fmt.Sprintf("#!/bin/sh\nexec %s -n \"$@\" >%s\n", path, would)
	if err := os.WriteFile(filepath.Join(dir, "make"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("VERSION", version)
	bin, err := compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	commands, err := os.ReadFile(would)
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Dir(filepath.Dir(bin.CLI))
	for _, file := range []string{bin.CLI, bin.Worker} {
		out, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		stamped := func(line string) bool {
			return strings.Contains(line, "-s -w -X main.version="+version+"'") && strings.Contains(line, " -o "+out+" ")
		}
		if !strings.HasPrefix(out, "bin/") || !anyLine(string(commands), stamped) {
			t.Errorf("%s is not built stripped and stamped with %s by\n%s", out, version, commands)
		}
	}
	demo, err := exec.CommandContext(t.Context(), path, "-n", "-C", root, "demo", "VERSION="+version).CombinedOutput()
	if err != nil || !anyLine(string(demo), func(line string) bool {
		return strings.HasPrefix(line, "VERSION='"+version+"' ") && strings.HasSuffix(line, " bin/demo\n")
	}) {
		t.Errorf("make demo does not tell the demo the version: %v\n%s", err, demo)
	}
}

func anyLine(text string, fits func(string) bool) bool {
	for line := range strings.Lines(text) {
		if fits(line) {
			return true
		}
	}
	return false
}
