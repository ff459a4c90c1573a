package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// breaking serves body but drops the connection after each share of it, breaks
// times in all.
func breaking(rec *recorder, body []byte, breaks int, etags ...string) *atomic.Int32 {
	var served atomic.Int32
	rec.answer = func(w http.ResponseWriter, r request) bool {
		if r.op != "GetObject" {
			return false
		}
		n := int(served.Add(1))
		etag := etags[min(n, len(etags))-1]
		if m := r.header.Get("If-Match"); m != "" && m != etag {
			refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return true
		}
		from, to := 0, len(body)-1
		if text := r.header.Get("Range"); text != "" {
			if _, err := fmt.Sscanf(text, "bytes=%d-%d", &from, &to); err != nil {
				_, _ = fmt.Sscanf(text, "bytes=%d-", &from)
			}
		}
		share := body[from : to+1]
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Length", strconv.Itoa(len(share)))
		if n <= breaks {
			_, _ = w.Write(share[:len(share)/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) // how net/http drops a connection
		}
		_, _ = w.Write(share)
		return true
	}
	return &served
}

func TestReadResumes(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	rec := newRecorder(t)
	served := breaking(rec, body, 3, `"v1"`)
	s := rec.open(t, nil)
	r, _, err := s.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, body) || served.Load() != 4 {
		t.Errorf("%d of %d bytes in %d requests, %v", len(got), len(body), served.Load(), err)
	}
	served = breaking(rec, body, 2, `"v1"`)
	r, err = s.GetRange(t.Context(), "k", 100, 50_000)
	if err != nil {
		t.Fatal(err)
	}
	got, err = io.ReadAll(r)
	if err != nil || !bytes.Equal(got, body[100:50_100]) {
		t.Errorf("range: %d bytes in %d requests, %v", len(got), served.Load(), err)
	}
}

func TestReadDoesNotMixVersions(t *testing.T) {
	rec := newRecorder(t)
	breaking(rec, make([]byte, 1000), 1, `"v1"`, `"v2"`)
	r, _, err := rec.open(t, nil).Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	wantIs(t, err, store.ErrChanged)
}

func TestReadGivesUp(t *testing.T) {
	t.Parallel()
	rec := newRecorder(t)
	breaking(rec, []byte("x"), 100, `"v1"`) // half of one byte is none: no progress
	r, _, err := rec.open(t, nil).Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	wantIs(t, err, store.ErrUnavailable)
}

// The store's checksum is verified where it sends one; a mismatch is no reason
// to reconnect, and no bytes pass as good.
func TestChecksumMismatchOnRead(t *testing.T) {
	rec := newRecorder(t)
	rec.answer = func(w http.ResponseWriter, r request) bool {
		w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
		_, _ = w.Write([]byte("hello"))
		return true
	}
	r, _, err := rec.open(t, nil).Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("got %v", err)
	}
	if n := len(rec.only(t, "GetObject")); n != 1 {
		t.Errorf("%d requests", n)
	}
}
