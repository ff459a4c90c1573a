//go:build stack && release

package compose

import (
	"strings"
	"testing"
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
