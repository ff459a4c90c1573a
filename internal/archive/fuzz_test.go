package archive_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// What ParsePath accepts must be its own inverse and never leave resources/.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{podPath, "resources/pods/v1-preferredversion/cluster/a.json", "resources/../cluster/a.json", "/etc/passwd", "resources/pods/v1/namespaces/a/b.json", "resources/a/cluster/\x00.json"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		k, versioned, err := archive.ParsePath(p)
		if err != nil {
			if !errors.Is(err, archive.ErrKey) {
				t.Fatal(err)
			}
			return
		}
		if strings.Contains("/"+p+"/", "/../") || strings.Contains(p, "//") || strings.ContainsAny(p, "\x00\\") {
			t.Fatalf("accepted %q", p)
		}
		if !versioned && (k.Version != "" || k.Path() != p) {
			t.Fatalf("%q became %+v", p, k)
		}
		if versioned && k.Validate() != nil {
			t.Fatalf("%q became the invalid %+v", p, k)
		}
		if versioned && k.VersionedPath() != p && strings.Contains(p, "-preferredversion/") {
			t.Fatalf("%q became %q", p, k.VersionedPath())
		}
	})
}

// wrap makes a manifest file whose digest fits, so that fuzzing gets past it.
func wrap(body []byte) []byte {
	return []byte(`{"manifest":` + string(body) + `,"sha256":"` + archive.Digest(body) + "\"}\n")
}

func FuzzDecodeManifest(f *testing.F) {
	src, l := newArchive(f, tinyLimits(), sample(2))
	good := src.files[l.Manifest()]
	f.Add(good[len(`{"manifest":`) : len(good)-len(`,"sha256":""}`)-65])
	f.Add([]byte(`{"formatVersion":"1.0"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, b := range [][]byte{body, wrap(body)} {
			m, err := archive.DecodeManifest("m", b)
			if err != nil {
				if !errors.Is(err, archive.ErrCorrupt) && !errors.Is(err, archive.ErrVersion) {
					t.Fatal(err)
				}
				continue
			}
			again, err := archive.EncodeManifest(m)
			if err != nil {
				t.Fatalf("accepted what cannot be written: %v", err)
			}
			if _, err := archive.DecodeManifest("m", again); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzRecut reads the input as a tarball and as the tar within one. Whatever it
// accepts must read back as an archive (recut verifies that).
func FuzzRecut(f *testing.F) {
	f.Add(rawTar(f, file(version, "1.1.0\n"), file(podPath, pod)))
	f.Add(rawTar(f, file("resources/pods/namespaces/a/"+strings.Repeat("p", 180)+".json", pod)))
	f.Add(zip(f, rawTar(f, file(podPath, pod))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		lim := archive.HostileLimits{ObjectBytes: 1 << 16, TotalBytes: 1 << 20, Entries: 100}
		for _, b := range [][]byte{raw, zip(t, raw)} {
			_, _, err := recut(t, bytes.NewReader(b), lim)
			if err != nil && !errors.Is(err, archive.ErrCorrupt) && !errors.Is(err, archive.ErrHostile) && !errors.Is(err, archive.ErrVersion) {
				t.Fatal(err)
			}
		}
	})
}
