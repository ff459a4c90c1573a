//go:build stack

package compose

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// built is an image as it is inspected, without the times of its build and what the classic builder
// notes of its steps: what is left decides the digest.
type built struct {
	Config           map[string]any
	RootFS           struct{ Layers []string }
	Architecture, Os string
}

const imageVersion = "v0.0.0-test"

// sample is a program that compiles in a moment and says with which version and user it runs.
const sample = `package main

import (
	"fmt"
	"os"
)

var version = "dev"

func main() { fmt.Println(version, os.Getuid()) }
`

// TestDockerfile builds the Dockerfile twice, from nothing, for two programs that are small: layers
// and configuration are the same, the version is in both, the user is not root, there is no shell,
// and the modules are listed. `make release-check` does it for the real ones, which takes many minutes.
func TestDockerfile(t *testing.T) {
	e := newEngine(t, "")
	dir := t.TempDir()
	for _, name := range []string{"Dockerfile", "LICENSE", ".dockerignore", "tools/sbom/main.go"} {
		text, err := os.ReadFile(filepath.Join(checkout(), name))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), string(text))
	}
	writeFile(t, filepath.Join(dir, "go.mod"), "module sample\n\ngo 1.26\n")
	writeFile(t, filepath.Join(dir, "go.sum"), "")
	for _, program := range []string{"worker", "starter"} {
		writeFile(t, filepath.Join(dir, program, "main.go"), sample)
	}
	buildTwice(t, e, dir)
	for _, program := range []string{"/lifeboat-worker", "/lifeboat"} {
		if got := runImage(t, e, program); got != imageVersion+" 65532" {
			t.Errorf("%s: %q", program, got)
		}
		checkProgram(t, e, program)
	}
	if _, err := e.Docker(t.Context(), "", "run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", "lifeboat:0", "-c", "true"); err == nil {
		t.Error("the image has a shell")
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func checkout() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// newEngine is an engine with the Dockerfile's base images. toolchain chooses Go, as GOTOOLCHAIN
// does.
func newEngine(t *testing.T, toolchain string) *stack.Engine {
	t.Helper()
	if err := stack.BuildNode(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	if err := stack.Build(t.Context(), os.Stderr, "docker-compose"); err != nil {
		t.Fatal(err)
	}
	leaveNothing(t)
	s := stack.Run(t, stack.Options{NoCluster: true})
	e, err := s.StartEngine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := loadBases(t.Context(), e, imageDir(t, s), toolchain); err != nil {
		t.Fatal(err)
	}
	return e
}

// buildTwice builds the Dockerfile of a folder as lifeboat:0 and lifeboat:1 and compares both.
func buildTwice(t *testing.T, e *stack.Engine, dir string) {
	t.Helper()
	var images [2]built
	for i := range images {
		name := fmt.Sprintf("lifeboat:%d", i)
		if out, err := e.Docker(t.Context(), "", "build", "--no-cache", "--network", "host", "--build-arg", "VERSION="+imageVersion, "--tag", name, dir); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		images[i] = inspect(t, e, name)
	}
	if len(images[0].RootFS.Layers) < 2 || !reflect.DeepEqual(images[0], images[1]) {
		t.Errorf("two builds, two images: %+v and %+v", images[0], images[1])
	}
	if user := images[0].Config["User"]; user != "65532:65532" {
		t.Errorf("user %v", user)
	}
}

// checkProgram takes a program out of the image: it needs no library, and the bill of materials
// beside it lists every module that it says it is made of, and no other.
func checkProgram(t *testing.T, e *stack.Engine, program string) {
	t.Helper()
	dir := t.TempDir()
	id, err := e.Docker(t.Context(), "", "create", "lifeboat:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{program, program + ".cdx.json"} {
		if _, err := e.Docker(t.Context(), "", "cp", strings.TrimSpace(id)+":"+name, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	file, err := elf.Open(filepath.Join(dir, program))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC }) {
		t.Errorf("%s is not static", program)
	}
	info, err := buildinfo.ReadFile(filepath.Join(dir, program))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"std@" + strings.TrimPrefix(info.GoVersion, "go")}
	for _, m := range info.Deps {
		used := cmp.Or(m.Replace, m)
		want = append(want, used.Path+"@"+used.Version)
	}
	if got := listedModules(t, filepath.Join(dir, program+".cdx.json")); !slices.Equal(got, want) {
		t.Errorf("%s lists %q\nand is made of %q", program, got, want)
	}
}

// listedModules are the components of a bill of materials of this version.
func listedModules(t *testing.T, name string) (modules []string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		Metadata   struct{ Component struct{ Version string } }
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &bill); err != nil || bill.Metadata.Component.Version != imageVersion {
		t.Fatalf("%s: %v: %s", name, err, text)
	}
	for _, c := range bill.Components {
		modules = append(modules, c.Name+"@"+c.Version)
	}
	return modules
}

// runImage runs a program of the image with as little as it may need.
func runImage(t *testing.T, e *stack.Engine, program string, args ...string) string {
	t.Helper()
	all := append([]string{"run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--entrypoint", program, "lifeboat:0"}, args...)
	out, err := e.Docker(t.Context(), "", all...)
	if err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(out)
}

func inspect(t *testing.T, e *stack.Engine, name string) built {
	t.Helper()
	text, err := e.Docker(t.Context(), "", "inspect", name)
	if err != nil {
		t.Fatal(err)
	}
	var all []built
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 1 {
		t.Fatalf("%v %s", err, text)
	}
	delete(all[0].Config, "Image")
	delete(all[0].Config, "Hostname")
	return all[0]
}

// goVersion is the Go that the Dockerfile builds with.
func goVersion() (string, error) {
	text, err := os.ReadFile(filepath.Join(checkout(), "Dockerfile"))
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`FROM golang:([0-9.]+)-bookworm`).FindSubmatch(text)
	if found == nil {
		return "", errors.New("the Dockerfile names no version of Go")
	}
	return string(found[1]), nil
}

// baseSteps fill the folders of the two base images. Arguments: the folder, Go's root, its proxy.
const baseSteps = `set -eu
ca=/etc/ssl/certs/ca-certificates.crt
mkdir -p "$1/go/usr/local" "$1/go/etc/ssl/certs" "$1/static/etc/ssl/certs"
cp -a "$2" "$1/go/usr/local/go"
chmod -R u+w "$1/go/usr/local/go"
cp $ca "$1/go/etc/ssl/certs/"
cp $ca "$1/static/etc/ssl/certs/"
printf 'FROM busybox:1.35\nCOPY . /\nENV PATH=/usr/local/go/bin:/bin GOPROXY=%s GOTOOLCHAIN=local SSL_CERT_FILE=%s\n' "$3" $ca >"$1/go/Dockerfile"
printf 'FROM scratch\nCOPY etc /etc\nUSER 65532\n' >"$1/static/Dockerfile"
`

// loadBases makes the Dockerfile's two base images under their names: Go with the shell of the
// node's image, and the files of a static image.
func loadBases(ctx context.Context, e *stack.Engine, dir, toolchain string) error {
	version, err := goVersion()
	if err != nil {
		return err
	}
	archives, err := stack.ImageArchives()
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if _, err := e.Docker(ctx, "", "load", "--input", archive); err != nil {
			return err
		}
	}
	if err := fillBases(ctx, dir, toolchain); err != nil {
		return err
	}
	for name, folder := range bases(version) {
		if _, err := e.Docker(ctx, "", "build", "--quiet", "--network", "none", "--tag", name, filepath.Join(dir, folder)); err != nil {
			return err
		}
	}
	return nil
}

// bases are the folders of the Dockerfile's two base images, by their names.
func bases(version string) map[string]string {
	return map[string]string{"golang:" + version + "-bookworm": "go", "gcr.io/distroless/static-debian12:nonroot": "static"}
}

// fillBases fills their folders.
func fillBases(ctx context.Context, dir, toolchain string) error {
	settings := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOPROXY")
	if toolchain != "" {
		settings.Env = append(os.Environ(), "GOTOOLCHAIN="+toolchain)
	}
	text, err := settings.Output()
	if err != nil {
		return err
	}
	root, proxy, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	out, err := exec.CommandContext(ctx, "sh", "-c", baseSteps, "bases", dir, root, proxy).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make base images: %w: %s", err, out)
	}
	return nil
}
