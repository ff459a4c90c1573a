package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

func testList(t *testing.T, s store.Store) {
	for _, key := range []string{"a/1", "a/2", "a/b/3", "ab", "b"} {
		put(t, s, key, []byte(key))
	}
	for prefix, want := range map[string][]string{
		"":     {"a/1", "a/2", "a/b/3", "ab", "b"},
		"a/":   {"a/1", "a/2", "a/b/3"},
		"a":    {"a/1", "a/2", "a/b/3", "ab"},
		"a/b/": {"a/b/3"},
		"none": nil,
	} {
		if got := keys(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("list %q = %q, want %q", prefix, got, want)
		}
	}
	err := s.List(t.Context(), "ab", func(i store.Info) error {
		if i.Size != 2 || i.ETag == "" || i.Modified.IsZero() {
			t.Errorf("listed %+v", i)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// many is more than one page of any listing.
const many = 1050

func fill(t *testing.T, s store.Store, prefix string, n int) {
	t.Helper()
	work := make(chan int)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range work {
				if err := s.Put(t.Context(), fmt.Sprintf("%s%05d/x", prefix, i), []byte("x"), store.PutOptions{}); err != nil {
					t.Errorf("put %d: %v", i, err)
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
}

func testListPages(t *testing.T, s store.Store) {
	fill(t, s, "many/", many)
	if got := len(keys(t, s, "many/")); got != many {
		t.Errorf("listed %d of %d objects", got, many)
	}
	dirs, err := s.Dirs(t.Context(), "many")
	if err != nil || len(dirs) != many || dirs[many-1] != fmt.Sprintf("%05d", many-1) {
		t.Errorf("%d of %d directories, %v", len(dirs), many, err)
	}
	behind := 0
	err = s.DirsAfter(t.Context(), "many/", "00009", func(string) error {
		behind++
		return nil
	})
	if err != nil || behind != many-10 {
		t.Errorf("%d directories behind the tenth of %d, %v", behind, many, err)
	}
	n, err := s.DeletePrefix(t.Context(), "many/")
	if n != many || err != nil {
		t.Errorf("deleted %d of %d, %v", n, many, err)
	}
	if left := keys(t, s, ""); len(left) != 0 {
		t.Errorf("%d objects left", len(left))
	}
}

func testListStops(t *testing.T, s store.Store) {
	put(t, s, "a", nil)
	put(t, s, "b", nil)
	stop, calls := errors.New("enough"), 0
	err := s.List(t.Context(), "", func(store.Info) error {
		calls++
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func testDirs(t *testing.T, s store.Store) {
	for _, key := range []string{"plain", "backups/b1/x", "backups/b1/y", "backups/b2/z", "restores/r/x", "backups/file"} {
		put(t, s, key, nil)
	}
	for prefix, want := range map[string][]string{
		"": {"backups", "restores"}, "backups": {"b1", "b2"}, "backups/": {"b1", "b2"}, "backups/b1": nil, "none": nil, "back": nil,
	} {
		got, err := s.Dirs(t.Context(), prefix)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("dirs of %q = %q, %v; want %q", prefix, got, err, want)
		}
	}
}

// A listing begins behind a key that may exist or not, and goes on over pages.
func testListAfter(t *testing.T, s store.Store) {
	for _, key := range []string{"a/1", "a/2", "a/b/3", "ab", "b"} {
		put(t, s, key, nil)
	}
	for after, want := range map[string][]string{
		"": {"a/1", "a/2", "a/b/3"}, "a/1": {"a/2", "a/b/3"}, "a/1x": {"a/2", "a/b/3"}, "a/b/": {"a/b/3"}, "a/b/3": nil, "0": {"a/1", "a/2", "a/b/3"}, "z": nil,
	} {
		var got []string
		err := s.ListAfter(t.Context(), "a/", after, func(i store.Info) error {
			got = append(got, i.Key)
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("behind %q: %q, %v; want %q", after, got, err, want)
		}
	}
}

// Directories come in the order of their keys: a slash sorts behind "-" and ".".
func testDirsAfter(t *testing.T, s store.Store) {
	for _, name := range []string{"a", "a-1", "a.x", "a0", "b"} {
		put(t, s, "backups/"+name+"/x", nil)
		put(t, s, "backups/"+name+"/y", nil)
	}
	put(t, s, "backups/a1", nil)
	all := []string{"a-1", "a.x", "a", "a0", "b"}
	for after, want := range map[string][]string{
		"": all, "a-1": all[1:], "a.x": all[2:], "a": all[3:], "a0": all[4:], "b": nil, "a-": all, "a00": all[4:], "z": nil,
	} {
		var got []string
		err := s.DirsAfter(t.Context(), "backups", after, func(name string) error {
			got = append(got, name)
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("behind %q: %q, %v; want %q", after, got, err, want)
		}
	}
	stop, calls := errors.New("enough"), 0
	err := s.DirsAfter(t.Context(), "backups/", "a", func(string) error {
		calls++
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func testDelete(t *testing.T, s store.Store) {
	for _, key := range []string{"a", "b", "c"} {
		put(t, s, key, nil)
	}
	if err := s.Delete(t.Context(), "a", "none", "c"); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, s, ""); !slices.Equal(got, []string{"b"}) {
		t.Errorf("left: %q", got)
	}
}

func testDeletePrefix(t *testing.T, s store.Store) {
	for _, key := range []string{"staging/u1/a", "staging/u1/b/c", "staging/u10/a", "other"} {
		put(t, s, key, nil)
	}
	n, err := s.DeletePrefix(t.Context(), "staging/u1/")
	if n != 2 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
	if got := keys(t, s, ""); !slices.Equal(got, []string{"other", "staging/u10/a"}) {
		t.Errorf("left: %q", got)
	}
	if n, err := s.DeletePrefix(t.Context(), "staging/u1/"); n != 0 || err != nil {
		t.Errorf("again: deleted %d, %v", n, err)
	}
	_, err = s.DeletePrefix(t.Context(), "")
	wantErr(t, "empty prefix", err, store.ErrInvalid)
}
