//go:build stack

package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// layers is what makes the content of an image; its own digest also has the time of its build.
type layers struct {
	Config map[string]any
	RootFS struct{ Layers []string }
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

// TestDockerfile builds the Dockerfile twice, from nothing, for two programs that are small: the
// layers are the same, the version is in both, the user is not root and there is no shell. `make
// release-check` does it for the real ones, which takes many minutes.
func TestDockerfile(t *testing.T) {
	e := newEngine(t, "")
	dir := t.TempDir()
	for _, name := range []string{"Dockerfile", "LICENSE", ".dockerignore"} {
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
	var built [2]layers
	for i := range built {
		name := fmt.Sprintf("lifeboat:%d", i)
		if out, err := e.Docker(t.Context(), "", "build", "--no-cache", "--network", "host", "--build-arg", "VERSION="+imageVersion, "--tag", name, dir); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		built[i] = inspect(t, e, name)
	}
	if len(built[0].RootFS.Layers) < 2 || !reflect.DeepEqual(built[0].RootFS, built[1].RootFS) {
		t.Errorf("two builds, two contents: %v and %v", built[0].RootFS, built[1].RootFS)
	}
	if user := built[0].Config["User"]; user != "65532:65532" {
		t.Errorf("user %v", user)
	}
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

func inspect(t *testing.T, e *stack.Engine, name string) layers {
	t.Helper()
	text, err := e.Docker(t.Context(), "", "inspect", name)
	if err != nil {
		t.Fatal(err)
	}
	var all []layers
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 1 {
		t.Fatalf("%v %s", err, text)
	}
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
	for name, folder := range map[string]string{"golang:" + version + "-bookworm": "go", "gcr.io/distroless/static-debian12:nonroot": "static"} {
		if _, err := e.Docker(ctx, "", "build", "--quiet", "--network", "none", "--tag", name, filepath.Join(dir, folder)); err != nil {
			return err
		}
	}
	return nil
}
