package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const mib = 1 << 20

// composition is parts together with the bytes they must yield.
type composition struct {
	parts []store.Part
	want  []byte
}

func (c *composition) inline(b []byte) {
	c.parts = append(c.parts, store.Part{Inline: b})
	c.want = append(c.want, b...)
}

func (c *composition) stored(key string, body []byte, off, n int) {
	c.parts = append(c.parts, store.Part{Key: key, Offset: int64(off), Size: int64(n)})
	c.want = append(c.want, body[off:off+n]...)
}

func testCompose(t *testing.T, s store.Store) {
	small := random(t, 1000)
	put(t, s, "small", small)
	for name, build := range map[string]func(*composition){
		"nothing":       func(*composition) {},
		"empty parts":   func(c *composition) { c.inline([]byte{}); c.stored("small", small, 5, 0) },
		"one inline":    func(c *composition) { c.inline([]byte("hello")) },
		"inline twice":  func(c *composition) { c.inline([]byte("hello ")); c.inline([]byte("world")) },
		"small stored":  func(c *composition) { c.stored("small", small, 0, 1000) },
		"small ranges":  func(c *composition) { c.stored("small", small, 900, 100); c.stored("small", small, 0, 10) },
		"mixed":         func(c *composition) { c.inline([]byte("<")); c.stored("small", small, 1, 998); c.inline([]byte(">")) },
		"inline 12 MiB": func(c *composition) { c.inline(random(t, 12*mib)) },
	} {
		t.Run(name, func(t *testing.T) {
			var c composition
			build(&c)
			compose(t, s, "composed", &c)
		})
	}
}

func compose(t *testing.T, s store.Store, dst string, c *composition) {
	t.Helper()
	if err := s.Compose(t.Context(), dst, c.parts, store.PutOptions{}); err != nil {
		t.Fatalf("compose: %v", err)
	}
	wantBody(t, s, dst, c.want)
}

func testComposeLarge(t *testing.T, s store.Store) {
	six, eight := random(t, 6*mib), random(t, 8*mib+123)
	put(t, s, "six", six)
	put(t, s, "eight", eight)
	for name, build := range map[string]func(*composition){
		"copy":              func(c *composition) { c.stored("six", six, 0, len(six)) },
		"copies":            func(c *composition) { c.stored("six", six, 0, len(six)); c.stored("eight", eight, 0, len(eight)) },
		"small before copy": func(c *composition) { c.inline([]byte("head")); c.stored("eight", eight, 0, len(eight)) },
		"small between": func(c *composition) {
			c.stored("six", six, 0, len(six))
			c.inline(random(t, 70_000))
			c.stored("eight", eight, 0, len(eight))
		},
		"small after":   func(c *composition) { c.stored("six", six, 0, len(six)); c.inline([]byte("tail")) },
		"inner range":   func(c *composition) { c.stored("eight", eight, 1000, 6*mib); c.stored("six", six, 3, 100) },
		"exactly 5 MiB": func(c *composition) { c.stored("six", six, 0, 5*mib); c.stored("six", six, mib, 5*mib) },
		"one more byte": func(c *composition) { c.stored("six", six, 0, 5*mib+1); c.stored("six", six, mib-1, 5*mib+1) },
		"many": func(c *composition) {
			for i := range 6 {
				c.inline(fmt.Appendf(nil, "part %d", i))
				c.stored("eight", eight, i*1000, 5*mib+i*50_000)
				c.stored("six", six, i, 200_000)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var c composition
			build(&c)
			before := s.Stats()
			compose(t, s, "composed", &c)
			moved := s.Stats().BytesWritten - before.BytesWritten
			t.Logf("%d bytes composed, %d sent", len(c.want), moved)
		})
	}
}

func testComposeIfAbsent(t *testing.T, s store.Store) {
	six := random(t, 6*mib)
	put(t, s, "six", six)
	var c composition
	c.stored("six", six, 0, len(six))
	c.inline([]byte("tail"))
	once := store.PutOptions{IfAbsent: true}
	if err := s.Compose(t.Context(), "once", c.parts, once); err != nil {
		t.Fatalf("first: %v", err)
	}
	wantErr(t, "second", s.Compose(t.Context(), "once", c.parts, once), store.ErrExists)
	wantErr(t, "small", s.Compose(t.Context(), "once", []store.Part{{Inline: []byte("x")}}, once), store.ErrExists)
	wantBody(t, s, "once", c.want)
	if n, err := s.AbortUploads(t.Context(), "once"); n != 0 || err != nil {
		t.Errorf("refused writes left %d unfinished uploads (%v)", n, err)
	}
}

func testComposeFails(t *testing.T, s store.Store) {
	six := random(t, 6*mib)
	put(t, s, "six", six)
	whole := store.Part{Key: "six", Size: 6 * mib}
	for name, tt := range map[string]struct {
		parts []store.Part
		want  error
	}{
		"missing small source": {[]store.Part{{Key: "none", Size: 10}}, store.ErrNotFound},
		"missing large source": {[]store.Part{whole, {Key: "none", Size: 6 * mib}}, store.ErrNotFound},
		"range behind the end": {[]store.Part{whole, {Key: "six", Offset: 6 * mib, Size: 10}}, store.ErrInvalid},
		"range over the end":   {[]store.Part{whole, {Key: "six", Offset: 6*mib - 5, Size: 10}}, store.ErrInvalid},
		"copy over the end":    {[]store.Part{whole, {Key: "six", Offset: 1, Size: 6 * mib}}, store.ErrInvalid},
		"negative":             {[]store.Part{{Key: "six", Offset: -1, Size: 10}}, store.ErrInvalid},
		"inline and stored":    {[]store.Part{{Key: "six", Size: 10, Inline: []byte("x")}}, store.ErrInvalid},
		"bad key":              {[]store.Part{{Key: "../six", Size: 10}}, store.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			wantErr(t, "compose", s.Compose(t.Context(), "failed", tt.parts, store.PutOptions{}), tt.want)
			wantNothing(t, s, "failed")
		})
	}
}

func testComposeCancelled(t *testing.T, s store.Store) {
	body := random(t, 8*mib)
	put(t, s, "eight", body)
	var parts []store.Part
	for range 40 {
		parts = append(parts, store.Part{Key: "eight", Size: 8 * mib}, store.Part{Inline: []byte("between")})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	err := s.Compose(ctx, "cancelled", parts, store.PutOptions{})
	wantErr(t, "compose", err, context.DeadlineExceeded)
	wantNothing(t, s, "cancelled")
}

func testAbortUploads(t *testing.T, s store.Store) {
	if n, err := s.AbortUploads(t.Context(), "nothing/"); n != 0 || err != nil {
		t.Errorf("aborted %d, %v", n, err)
	}
	_, err := s.AbortUploads(t.Context(), "")
	wantErr(t, "empty prefix", err, store.ErrInvalid)
}

func testCheck(t *testing.T, s store.Store) {
	put(t, s, "backups/b/velero-backup.json", nil)
	for _, c := range store.Check(t.Context(), s) {
		if !c.OK {
			t.Errorf("%s: %s (%s)", c.Name, c.Detail, c.Consequence)
		}
	}
	if left := keys(t, s, "plugins/"); len(left) != 0 {
		t.Errorf("check left %q", left)
	}
	put(t, s, "foreign/x", nil)
	ok := true
	for _, c := range store.Check(t.Context(), s) {
		ok = ok && c.OK
	}
	if ok {
		t.Error("check does not see a foreign directory")
	}
}
