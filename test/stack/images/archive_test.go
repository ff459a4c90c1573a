package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unpack reads a whole archive; directories and links have no bytes.
func unpack(t *testing.T, r io.Reader) (files map[string][]byte, headers map[string]*tar.Header) {
	t.Helper()
	files, headers = map[string][]byte{}, map[string]*tar.Header{}
	for in := tar.NewReader(r); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files, headers
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
		headers[header.Name] = header
	}
}

func sample(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "bin", "tool"), []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, "bin", "tool"), 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("tool", filepath.Join(root, "bin", "link")); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestWriteArchive holds an archive to what containerd checks: the manifest names
// configuration and layer, and the configuration the digest of the layer's bytes.
func TestWriteArchive(t *testing.T) {
	root := sample(t)
	var out bytes.Buffer
	if err := WriteArchive(&out, "example.test/tool:1", root, Config{Cmd: []string{"/bin/tool"}, User: "70:70"}); err != nil {
		t.Fatal(err)
	}
	files, _ := unpack(t, &out)
	var list []manifest
	if err := json.Unmarshal(files["manifest.json"], &list); err != nil || len(list) != 1 {
		t.Fatalf("manifest: %v %s", err, files["manifest.json"])
	}
	if got := list[0].RepoTags; !slices.Equal(got, []string{"example.test/tool:1"}) {
		t.Errorf("names: %v", got)
	}
	var config imageConfig
	if err := json.Unmarshal(files[list[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(files[list[0].Layers[0]])); !slices.Equal(config.RootFS.DiffIDs, []string{want}) {
		t.Errorf("digests %v, want %s", config.RootFS.DiffIDs, want)
	}
	if config.OS != "linux" || config.Config.User != "70:70" {
		t.Errorf("configuration: %+v", config)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(root), "layer-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteLayer(t *testing.T) {
	var out bytes.Buffer
	if err := writeLayer(&out, sample(t)); err != nil {
		t.Fatal(err)
	}
	files, headers := unpack(t, &out)
	if string(files["bin/tool"]) != "program" {
		t.Errorf("content: %q", files["bin/tool"])
	}
	if mode := headers["bin/tool"].FileInfo().Mode(); mode != 0o755|os.ModeSetuid {
		t.Errorf("mode %v", mode)
	}
	if headers["bin/link"].Linkname != "tool" || headers["bin/"].Typeflag != tar.TypeDir {
		t.Errorf("link %+v, folder %+v", headers["bin/link"], headers["bin/"])
	}
}

// TestFile shows that what changes an image changes the name of its archive.
func TestFile(t *testing.T) {
	image := Image{Name: "example.test/tool:1", recipe: "1"}
	other := image
	other.recipe = "2"
	if image.File() == other.File() || image.File() != (Image{Name: image.Name, recipe: "1"}).File() {
		t.Errorf("%s and %s", image.File(), other.File())
	}
	if !strings.HasPrefix(image.File(), "tool-1-") {
		t.Error(image.File())
	}
}
