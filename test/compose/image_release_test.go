//go:build stack && release

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

// TestImage builds the Dockerfile twice, from nothing, and gets the same layers, programs that run
// without any library, and a user that is not root.
func TestImage(t *testing.T) {
	if err := stack.BuildNode(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	if err := stack.Build(t.Context(), os.Stderr, "docker-compose"); err != nil {
		t.Fatal(err)
	}
	s := stack.Run(t, stack.Options{NoCluster: true})
	e, err := s.StartEngine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := loadBases(t.Context(), e, imageDir(t, s)); err != nil {
		t.Fatal(err)
	}
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..")
	var built []layers
	for i := range 2 {
		name := fmt.Sprintf("lifeboat:%d", i)
		if out, err := e.Docker(t.Context(), "", "build", "--no-cache", "--network", "host", "--build-arg", "VERSION=v0.0.0-test", "--tag", name, root); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		built = append(built, inspect(t, e, name))
	}
	if !reflect.DeepEqual(built[0].RootFS, built[1].RootFS) {
		t.Errorf("two builds, two contents: %v and %v", built[0].RootFS, built[1].RootFS)
	}
	if user := built[0].Config["User"]; user != "65532:65532" {
		t.Errorf("user %v", user)
	}
	for program, want := range map[string]string{"/lifeboat-worker": "lifeboat-worker v0.0.0-test", "/lifeboat": "v0.0.0-test"} {
		out, err := e.Docker(t.Context(), "", "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--entrypoint", program, "lifeboat:0", "--version")
		if err != nil {
			t.Errorf("%s: %v", program, err)
		} else if program == "/lifeboat" && !strings.Contains(out, want) {
			t.Errorf("%s: %s", program, out)
		}
	}
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
	text, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`FROM golang:([0-9.]+)-bookworm`).FindSubmatch(text)
	if found == nil {
		return "", errors.New("the Dockerfile names no version of Go")
	}
	return string(found[1]), nil
}

// loadBases makes the Dockerfile's two base images under their names: Go of the version that it
// names, with the shell of the node's image; and the files of a static image.
func loadBases(ctx context.Context, e *stack.Engine, dir string) error {
	archives, err := stack.ImageArchives()
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if _, err := e.Docker(ctx, "", "load", "--input", archive); err != nil {
			return err
		}
	}
	const authorities = "/etc/ssl/certs/ca-certificates.crt"
	version, err := goVersion()
	if err != nil {
		return err
	}
	locate := exec.CommandContext(ctx, "go", "env", "GOROOT")
	locate.Env = append(os.Environ(), "GOTOOLCHAIN=go"+version)
	root, err := locate.Output()
	if err != nil {
		return err
	}
	proxy, err := exec.CommandContext(ctx, "go", "env", "GOPROXY").Output()
	if err != nil {
		return err
	}
	steps := fmt.Sprintf(`set -eu
mkdir -p "$1/go/usr/local" "$1/go/etc/ssl/certs" "$1/static/etc/ssl/certs"
cp -a %q "$1/go/usr/local/go"
chmod -R u+w "$1/go/usr/local/go"
cp %q "$1/go/etc/ssl/certs/"; cp %[2]q "$1/static/etc/ssl/certs/"
printf 'FROM busybox:1.35\nCOPY . /\nENV PATH=/usr/local/go/bin:/bin GOPROXY=%%s GOTOOLCHAIN=local GOFLAGS=-p=2 SSL_CERT_FILE=%[2]s\n' "$2" >"$1/go/Dockerfile"
printf 'FROM scratch\nCOPY etc /etc\nUSER 65532\n' >"$1/static/Dockerfile"
`, strings.TrimSpace(string(root)), authorities)
	out, err := exec.CommandContext(ctx, "sh", "-c", steps, "bases", dir, strings.TrimSpace(string(proxy))).CombinedOutput()
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
