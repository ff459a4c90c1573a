//go:build stack && release

package compose

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestImage builds the image of a release twice, from nothing, with the Go that the Dockerfile
// names: they are the same, both programs run with a read-only root and without any library, and
// all their modules are listed. It compiles everything twice.
func TestImage(t *testing.T) {
	version, err := goVersion()
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, "go"+version)
	buildTwice(t, e, checkout())
	if got := runImage(t, e, "/lifeboat", "--version"); !strings.Contains(got, imageVersion) {
		t.Errorf("lifeboat: %s", got)
	}
	runImage(t, e, "/lifeboat-worker", "--version")
	checkProgram(t, e, "/lifeboat")
	checkProgram(t, e, "/lifeboat-worker")
}

// builder is buildah with a store of the test's own.
type builder struct{ dir string }

func (b builder) run(t *testing.T, args ...string) {
	t.Helper()
	all := append([]string{"--root", filepath.Join(b.dir, "store"), "--runroot", filepath.Join(b.dir, "run")}, args...)
	if out, err := exec.CommandContext(t.Context(), "buildah", all...).CombinedOutput(); err != nil {
		t.Fatalf("buildah %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (b builder) build(t *testing.T, name, dir string, args ...string) {
	t.Helper()
	b.run(t, slices.Concat([]string{"build", "--isolation", "chroot", "--tag", name}, args, []string{dir})...)
}

// newBuilder is buildah with the Dockerfile's base images.
func newBuilder(t *testing.T) builder {
	t.Helper()
	if err := stack.BuildNode(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	if err := stack.InstallProgram(t.Context(), os.Stderr, "buildah", "buildah"); err != nil {
		t.Fatal(err)
	}
	version, err := goVersion()
	if err != nil {
		t.Fatal(err)
	}
	archives, err := stack.ImageArchives()
	if err != nil {
		t.Fatal(err)
	}
	b := builder{t.TempDir()}
	for _, archive := range archives {
		b.run(t, "pull", "docker-archive:"+archive)
	}
	if err := fillBases(t.Context(), b.dir, "go"+version); err != nil {
		t.Fatal(err)
	}
	for name, folder := range bases(version) {
		b.build(t, name, filepath.Join(b.dir, folder))
	}
	return b
}

// TestImageDigest builds the image of a release twice, from nothing, with one time of creation, as
// CONTRIBUTING.md says: both have one digest, which covers layers, configuration and history.
func TestImageDigest(t *testing.T) {
	b := newBuilder(t)
	var digests [2]string
	for i := range digests {
		name, file := fmt.Sprintf("lifeboat:%d", i), filepath.Join(b.dir, "digest")
		b.build(t, name, checkout(), "--no-cache", "--pull-never", "--network", "host", "--timestamp", "1700000000", "--build-arg", "VERSION="+imageVersion)
		b.run(t, "push", "--digestfile", file, name, "oci:"+filepath.Join(b.dir, "pushed"))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		digests[i] = string(text)
		b.run(t, "rmi", name)
	}
	if digests[0] != digests[1] || !strings.HasPrefix(digests[0], "sha256:") {
		t.Errorf("two builds, two digests: %q", digests)
	}
}
