package fetch_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
)

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSave(t *testing.T) {
	stored := gzipped(t, strings.Repeat("tar", 1000))
	stored = append(stored, gzipped(t, "second member")...)
	file := filepath.Join(t.TempDir(), "x.tar.gz")
	n, err := fetch.Save(file, bytes.NewReader(stored), fetch.CheckGzip)
	if err != nil || n != int64(len(stored)) {
		t.Fatalf("saved %d bytes, %v; want %d", n, err, len(stored))
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, stored) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: the file holds Secrets", info, err)
	}
}

// A file that did not arrive whole leaves what was there before, and nothing beside it.
func TestSaveRefused(t *testing.T) {
	whole := gzipped(t, strings.Repeat("tar", 1000))
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-6] ^= 1 // in the checksum
	for name, tc := range map[string]struct {
		stored []byte
		want   string
	}{
		"damaged":  {damaged, "damaged or cut off"},
		"cut":      {whole[:len(whole)-3], "damaged or cut off"},
		"not gzip": {[]byte("<html>login</html>"), "not a gzip file"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "x.tar.gz")
		if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := fetch.Save(file, bytes.NewReader(tc.stored), fetch.CheckGzip); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != "before" {
			t.Errorf("%s: the file holds %q, %v", name, got, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%s: left behind %v, %v", name, entries, err)
		}
	}
}
