package compose

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// releaseBuild is a program of .goreleaser.yaml.
type releaseBuild struct {
	ID, Main, Binary    string
	Env, Flags, Ldflags []string
}

// TestGoreleaser: the archives hold the programs that the Dockerfile builds, compiled by the same flags,
// of folders that there are, with files that there are. `make archives-check` has goreleaser itself look.
func TestGoreleaser(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Builds   []releaseBuild
		Archives []struct {
			IDs   []string
			Files []struct{ Src string }
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	build := regexp.MustCompile(`go build (.+) -ldflags "(.+)" -o \S+ (\./\S+) (\./\S+)`).FindStringSubmatch(string(dockerfile))
	if build == nil || !strings.Contains(string(dockerfile), "ENV CGO_ENABLED=0") {
		t.Fatal("the Dockerfile builds no two programs without cgo")
	}
	var mains, ids, archived []string
	for _, b := range config.Builds {
		mains, ids = append(mains, b.Main), append(ids, b.ID)
		if got := strings.Join(b.Flags, " "); got != build[1] {
			t.Errorf("%s has flags %q, the Dockerfile %q", b.ID, got, build[1])
		}
		if got, want := strings.Join(b.Ldflags, " "), strings.Replace(build[2], "${VERSION}", "v{{ .Version }}", 1); got != want {
			t.Errorf("%s has ldflags %q, want %q", b.ID, got, want)
		}
		if !slices.Contains(b.Env, "CGO_ENABLED=0") {
			t.Errorf("%s is built with cgo", b.ID)
		}
		if !strings.Contains(string(dockerfile), "/out/image/"+b.Binary+" ") && !strings.Contains(string(dockerfile), "/out/image/"+b.Binary+"\n") {
			t.Errorf("the image calls no program %s", b.Binary)
		}
	}
	for _, a := range config.Archives {
		archived = append(archived, a.IDs...)
		for _, f := range a.Files {
			if _, err := os.Stat(filepath.Join(root, f.Src)); err != nil {
				t.Error(err)
			}
		}
	}
	for what, sets := range map[string][2][]string{"folders, and those of the Dockerfile,": {mains, build[3:]}, "programs, and those in archives,": {ids, archived}} {
		slices.Sort(sets[0])
		slices.Sort(sets[1])
		if !slices.Equal(sets[0], sets[1]) || len(sets[0]) == 0 {
			t.Errorf("%s are not the same: %q and %q", what, sets[0], sets[1])
		}
	}
}
