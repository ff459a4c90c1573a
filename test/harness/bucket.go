package harness

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// BucketFiles are the files of a bucket below a location's prefix.
type BucketFiles map[string][]byte

// WholeBucket is all that a location has.
func WholeBucket(t testing.TB, h *Harness) BucketFiles {
	t.Helper()
	files := BucketFiles{}
	err := h.Store.List(t.Context(), "", func(i store.Info) (err error) {
		files[i.Key], err = repository.GetBytes(t.Context(), h.Store, i.Key)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Put writes all of them into a location.
func (f BucketFiles) Put(t testing.TB, h *Harness) {
	t.Helper()
	for key, data := range f {
		if err := h.Store.Put(t.Context(), key, data, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// Owner is the UID of the cluster that wrote them, of which another one may be a rebuilt one; ""
// where it did not say.
func (f BucketFiles) Owner(t testing.TB, cluster string) string {
	t.Helper()
	data, said := f[layout.ClusterName(cluster)]
	if !said {
		return ""
	}
	var owner struct{ UID string }
	if err := json.Unmarshal(data, &owner); err != nil || owner.UID == "" {
		t.Fatalf("%s: %v: %s", layout.ClusterName(cluster), err, data)
	}
	return owner.UID
}

// Pack is a compressed tar archive of them.
func (f BucketFiles) Pack() ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, key := range slices.Sorted(maps.Keys(f)) {
		if err := w.WriteHeader(&tar.Header{Name: key, Mode: 0o600, Size: int64(len(f[key]))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f[key]); err != nil {
			return nil, err
		}
	}
	err := errors.Join(w.Close(), z.Close())
	return out.Bytes(), err
}

// UnpackBucket reads what Pack made.
func UnpackBucket(data []byte) (BucketFiles, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	files := BucketFiles{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}
