package compose

import (
	"bufio"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Everything that the programs are built of gets into the image's build, and nothing else: what
// lies in a checkout beside it, such as credentials, stays out.
func TestDockerignore(t *testing.T) {
	kept := keptPaths(t)
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}`,
		"github.com/lifeboat-backup/lifeboat/worker", "github.com/lifeboat-backup/lifeboat/starter").Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{"go.mod": true, "go.sum": true, "LICENSE": true, "tools/sbom": true}
	for dir := range strings.FieldsSeq(string(out)) {
		path, err := filepath.Rel(root, dir)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(kept, func(k string) bool { return path == k || strings.HasPrefix(path, k+"/") })
		if i < 0 {
			t.Errorf(".dockerignore leaves out %s, which the programs are built of", path)
			continue
		}
		used[kept[i]] = true
	}
	for _, k := range kept {
		if !used[k] {
			t.Errorf(".dockerignore lets %s in, which nothing is built of", k)
		}
	}
}

// TestOneGo: archives and image of a release are built with one Go.
func TestOneGo(t *testing.T) {
	found := map[string]int{}
	for name, version := range map[string]string{"Dockerfile": `FROM golang:([0-9.]+)-`, ".goreleaser.yaml": `GOTOOLCHAIN=go([0-9.]+)`} {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(version).FindAllSubmatch(text, -1) {
			found[string(match[1])]++
		}
	}
	if len(found) != 1 || !slices.Contains(slices.Collect(maps.Values(found)), 3) {
		t.Errorf("versions of Go, by how often they are named: %v", found)
	}
}

func keptPaths(t *testing.T) (kept []string) {
	t.Helper()
	f, err := os.Open("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if path, ok := strings.CutPrefix(lines.Text(), "!"); ok {
			kept = append(kept, path)
		}
	}
	return kept
}
