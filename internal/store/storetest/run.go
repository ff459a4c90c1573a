package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sort"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Run tests an implementation. open returns a store that is empty and not used
// by anyone else; it is called once for every test.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	tests := []struct {
		name string
		fn   func(*testing.T, store.Store)
	}{
		{"PutGet", testPutGet},
		{"OddKeys", testOddKeys},
		{"BadKeys", testBadKeys},
		{"Overwrite", testOverwrite},
		{"Missing", testMissing},
		{"IfAbsent", testIfAbsent},
		{"IfAbsentRace", testIfAbsentRace},
		{"Ranges", testRanges},
		{"List", testList},
		{"ListPages", testListPages},
		{"ListStops", testListStops},
		{"Dirs", testDirs},
		{"ListAfter", testListAfter},
		{"DirsAfter", testDirsAfter},
		{"Unlocked", testUnlocked},
		{"Delete", testDelete},
		{"DeletePrefix", testDeletePrefix},
		{"Compose", testCompose},
		{"ComposeLarge", testComposeLarge},
		{"ComposeIfAbsent", testComposeIfAbsent},
		{"ComposeFails", testComposeFails},
		{"ComposeCancelled", testComposeCancelled},
		{"AbortUploads", testAbortUploads},
		{"Cancelled", testCancelled},
		{"Stats", testStats},
		{"Check", testCheck},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.fn(t, open(t)) })
	}
}

// RunLocked tests an implementation over a bucket with versions and Object Lock. open returns
// an empty store, and functions that put an object under a retention period and a legal hold.
func RunLocked(t *testing.T, open func(t *testing.T) (s store.Store, retain, hold func(key string))) {
	s, retain, hold := open(t)
	for _, key := range []string{"retained", "held", "free"} {
		put(t, s, key, []byte(key))
	}
	retain("retained")
	hold("held")
	for _, key := range []string{"retained", "held"} {
		wantErr(t, "look for the lock of "+key, s.CheckUnlocked(t.Context(), key), store.ErrLocked)
	}
	testUnlocked(t, s)
	if err := s.CheckUnlocked(t.Context(), "free"); err != nil {
		t.Errorf("an object without a lock: %v", err)
	}
	// Whether a lock refuses a deletion or hides the object, it is no other error.
	if err := s.Delete(t.Context(), "retained"); err != nil && !errors.Is(err, store.ErrLocked) {
		t.Errorf("delete a retained object: %v", err)
	}
}

func testUnlocked(t *testing.T, s store.Store) {
	wantErr(t, "look for the lock of no object", s.CheckUnlocked(t.Context(), "none"), store.ErrNotFound)
	wantErr(t, "look for the lock of a bad key", s.CheckUnlocked(t.Context(), "/abs"), store.ErrInvalid)
	put(t, s, "unlocked", []byte("x"))
	if err := s.CheckUnlocked(t.Context(), "unlocked"); err != nil {
		t.Errorf("an object without a lock: %v", err)
	}
}

func put(t *testing.T, s store.Store, key string, body []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, body, store.PutOptions{}); err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func get(t *testing.T, s store.Store, key string) []byte {
	t.Helper()
	r, info, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	body := readAll(t, r)
	if info.Key != key || info.Size != int64(len(body)) || info.ETag == "" || info.Modified.IsZero() {
		t.Errorf("get %q: info %+v for %d bytes", key, info, len(body))
	}
	return body
}

func readAll(t *testing.T, r io.ReadCloser) []byte {
	t.Helper()
	body, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatalf("read: %v", err)
	}
	return body
}

func wantBody(t *testing.T, s store.Store, key string, want []byte) {
	t.Helper()
	if got := get(t, s, key); !bytes.Equal(got, want) {
		t.Errorf("%q holds %d bytes that differ from the %d expected", key, len(got), len(want))
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// wantNothing checks that a failed write left neither an object nor parts.
func wantNothing(t *testing.T, s store.Store, key string) {
	t.Helper()
	_, err := s.Head(t.Context(), key)
	wantErr(t, "head after a failed write", err, store.ErrNotFound)
	n, err := s.AbortUploads(t.Context(), key)
	if n != 0 || err != nil {
		t.Errorf("a failed write left %d unfinished uploads (%v)", n, err)
	}
}

func keys(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	var all []string
	err := s.List(t.Context(), prefix, func(i store.Info) error {
		all = append(all, i.Key)
		return nil
	})
	if err != nil {
		t.Fatalf("list %q: %v", prefix, err)
	}
	if !sort.StringsAreSorted(all) {
		t.Errorf("list %q is not sorted: %q", prefix, all)
	}
	return all
}

func random(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
