package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

func testPutGet(t *testing.T, s store.Store) {
	for _, size := range []int{0, 1, 511, 64 << 10, 3 << 20} {
		key, body := fmt.Sprintf("backups/b/%d.bin", size), random(t, size)
		put(t, s, key, body)
		wantBody(t, s, key, body)
		info, err := s.Head(t.Context(), key)
		if err != nil || info.Size != int64(size) || info.Key != key || info.ETag == "" || strings.Contains(info.ETag, `"`) {
			t.Errorf("head %q = %+v, %v", key, info, err)
		}
	}
}

// oddKeys are legal and break naive escaping somewhere.
func oddKeys() []string {
	return []string{
		"a b/c d", "plus+plus", "per%cent", "per%20cent", "amp&and", "eq=eq", "q?uestion", "hash#hash", "colon:colon",
		"quote'quote", `double"quote`, "less<greater>", "back\\slash", "semi;colon", "tilde~", "at@at", "comma,comma",
		"unicode/äöü/日本/🛟", "dots...dots/..x/x..", "brackets[1]{2}(3)", "UPPER/lower", "star*star", "dollar$",
		"backups/b/b.tar.gz", strings.Repeat("long-", 40) + "/" + strings.Repeat("name-", 40),
	}
}

func testOddKeys(t *testing.T, s store.Store) {
	for i, key := range oddKeys() {
		body := []byte(fmt.Sprintf("%d %s", i, key))
		put(t, s, key, body)
		wantBody(t, s, key, body)
		if got := keys(t, s, key); len(got) != 1 || got[0] != key {
			t.Errorf("list %q = %q", key, got)
		}
		err := s.Compose(t.Context(), "copies/"+key, []store.Part{{Key: key, Size: int64(len(body))}}, store.PutOptions{})
		if err != nil {
			t.Errorf("compose from %q: %v", key, err)
			continue
		}
		wantBody(t, s, "copies/"+key, body)
	}
	if err := s.Delete(t.Context(), oddKeys()...); err != nil {
		t.Errorf("delete: %v", err)
	}
	if left := len(keys(t, s, "")); left != len(oddKeys()) {
		t.Errorf("%d keys left after delete, want the %d copies", left, len(oddKeys()))
	}
}

func testBadKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, key := range []string{"", "/abs", "a/../b", "..", "./a", "a/.", "nul\x00", "line\nbreak", "bad\xffutf8", strings.Repeat("x", 1025)} {
		wantErr(t, fmt.Sprintf("put %q", key), s.Put(ctx, key, nil, store.PutOptions{}), store.ErrInvalid)
		_, _, err := s.Get(ctx, key)
		wantErr(t, fmt.Sprintf("get %q", key), err, store.ErrInvalid)
		wantErr(t, fmt.Sprintf("delete %q", key), s.Delete(ctx, key), store.ErrInvalid)
		wantErr(t, fmt.Sprintf("compose %q", key), s.Compose(ctx, key, nil, store.PutOptions{}), store.ErrInvalid)
	}
}

func testOverwrite(t *testing.T, s store.Store) {
	put(t, s, "k", []byte("one"))
	put(t, s, "k", []byte("one"))
	put(t, s, "k", []byte("second"))
	wantBody(t, s, "k", []byte("second"))
}

func testMissing(t *testing.T, s store.Store) {
	_, _, err := s.Get(t.Context(), "none")
	wantErr(t, "get", err, store.ErrNotFound)
	_, err = s.Head(t.Context(), "none")
	wantErr(t, "head", err, store.ErrNotFound)
	for _, n := range []int64{-1, 0, 5} {
		_, err = s.GetRange(t.Context(), "none", 0, n)
		wantErr(t, fmt.Sprintf("get range of %d", n), err, store.ErrNotFound)
	}
	if err := s.Delete(t.Context(), "none"); err != nil {
		t.Errorf("delete a missing object: %v", err)
	}
	if err := s.Delete(t.Context(), "none", "neither"); err != nil {
		t.Errorf("delete missing objects: %v", err)
	}
	if err := s.Delete(t.Context()); err != nil {
		t.Errorf("delete nothing: %v", err)
	}
}

func testIfAbsent(t *testing.T, s store.Store) {
	once := store.PutOptions{IfAbsent: true}
	if err := s.Put(t.Context(), "once", []byte("first"), once); err != nil {
		t.Fatalf("first put: %v", err)
	}
	wantErr(t, "second put", s.Put(t.Context(), "once", []byte("second"), once), store.ErrExists)
	wantErr(t, "same bytes", s.Put(t.Context(), "once", []byte("first"), once), store.ErrExists)
	wantBody(t, s, "once", []byte("first"))
}

// A write and a deletion on condition leave alone what somebody has replaced.
func testMatching(t *testing.T, s store.Store) {
	etag := func() string {
		info, err := s.Head(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		return info.ETag
	}
	put(t, s, "k", []byte("one"))
	first := etag()
	if err := s.Put(t.Context(), "k", []byte("two"), store.PutOptions{IfMatch: first}); err != nil {
		t.Fatalf("put over what is there: %v", err)
	}
	wantErr(t, "put over what is gone", s.Put(t.Context(), "k", []byte("three"), store.PutOptions{IfMatch: first}), store.ErrChanged)
	wantErr(t, "put over nothing", s.Put(t.Context(), "none", nil, store.PutOptions{IfMatch: first}), store.ErrChanged)
	wantErr(t, "delete what is gone", s.DeleteMatching(t.Context(), "k", first), store.ErrChanged)
	wantBody(t, s, "k", []byte("two"))
	second := etag()
	for range 2 { // it may repeat
		if err := s.DeleteMatching(t.Context(), "k", second); err != nil {
			t.Errorf("delete what is there: %v", err)
		}
	}
	_, err := s.Head(t.Context(), "k")
	wantErr(t, "head after the deletion", err, store.ErrNotFound)
}

func testIfAbsentRace(t *testing.T, s store.Store) {
	conditional, err := s.Conditional(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !conditional {
		t.Skip("the store has no conditional writes; nothing is promised")
	}
	const racers = 20
	for round := range 3 {
		errs := race(t, s, fmt.Sprintf("race-%d", round), racers)
		wins, winner := 0, -1
		for i, err := range errs {
			switch {
			case err == nil:
				wins, winner = wins+1, i
			case !errors.Is(err, store.ErrExists):
				t.Errorf("racer %d: %v", i, err)
			}
		}
		if wins != 1 {
			t.Fatalf("round %d: %d of %d racers won", round, wins, racers)
		}
		wantBody(t, s, fmt.Sprintf("race-%d", round), fmt.Appendf(nil, "racer %d", winner))
	}
}

func race(t *testing.T, s store.Store, key string, racers int) []error {
	errs := make([]error, racers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			<-start
			errs[i] = s.Put(t.Context(), key, fmt.Appendf(nil, "racer %d", i), store.PutOptions{IfAbsent: true})
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func testRanges(t *testing.T, s store.Store) {
	body := random(t, 100_000)
	put(t, s, "r", body)
	put(t, s, "empty", nil)
	for _, c := range []struct{ off, n, want int64 }{
		{0, 1, 1},
		{0, 100_000, 100_000},
		{0, -1, 100_000},
		{99_999, 1, 1},
		{99_999, -1, 1},
		{10, 0, 0},
		{512, 4096, 4096},
		{99_990, 50, 10},
		{100_000, 1, 0},
		{100_000, -1, 0},
		{200_000, 10, 0},
	} {
		r, err := s.GetRange(t.Context(), "r", c.off, c.n)
		if err != nil {
			t.Errorf("range %d+%d: %v", c.off, c.n, err)
			continue
		}
		from := min(c.off, int64(len(body)))
		if got := readAll(t, r); !bytes.Equal(got, body[from:from+c.want]) {
			t.Errorf("range %d+%d: %d bytes, want %d, or other content", c.off, c.n, len(got), c.want)
		}
	}
	r, err := s.GetRange(t.Context(), "empty", 0, -1)
	if err != nil || len(readAll(t, r)) != 0 {
		t.Errorf("range of an empty object: %v", err)
	}
	_, err = s.GetRange(t.Context(), "r", -1, 5)
	wantErr(t, "negative offset", err, store.ErrInvalid)
}

func testCancelled(t *testing.T, s store.Store) {
	ctx := cancelled(t)
	wantErr(t, "put", s.Put(ctx, "k", nil, store.PutOptions{}), context.Canceled)
	_, _, err := s.Get(ctx, "k")
	wantErr(t, "get", err, context.Canceled)
	wantErr(t, "list", s.List(ctx, "", func(store.Info) error { return nil }), context.Canceled)
	wantErr(t, "delete", s.Delete(ctx, "k"), context.Canceled)
	if errors.Is(s.Put(ctx, "k", nil, store.PutOptions{}), store.ErrUnavailable) {
		t.Error("a cancelled call must not look like an unavailable store")
	}
}

func testStats(t *testing.T, s store.Store) {
	before := s.Stats()
	body := random(t, 1<<20)
	put(t, s, "k", body)
	wantBody(t, s, "k", body)
	d := s.Stats()
	reqs, read, written := d.Requests-before.Requests, d.BytesRead-before.BytesRead, d.BytesWritten-before.BytesWritten
	const slack = 64 << 10 // framing and probes
	if reqs < 2 || read < 1<<20 || read > 1<<20+slack || written < 1<<20 || written > 1<<20+slack {
		t.Errorf("1 MiB there and back: %d requests, %d read, %d written", reqs, read, written)
	}
}
