package store_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// equalPartsStore plays a store that refuses an upload whose parts, but for the last, are not
// of one length, or whose last part is longer.
type equalPartsStore struct {
	mu      sync.Mutex
	objects map[string][]byte
	uploads map[string]map[int][]byte // by key
	copies  int                       // since the last refusal
	refused int
}

func newEqualPartsStore(t *testing.T) (*equalPartsStore, *store.S3) {
	e := &equalPartsStore{objects: map[string][]byte{}, uploads: map[string]map[int][]byte{}}
	rec := newRecorder(t)
	rec.answer = e.answer
	return e, rec.open(t, nil)
}

func (e *equalPartsStore) answer(w http.ResponseWriter, r request) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := strings.TrimPrefix(r.path, "/bucket/")
	switch r.op {
	case "PutObject":
		e.objects[key] = []byte(r.body)
	case "GetObject":
		body, ok := e.objects[key]
		if !ok {
			refuse(w, http.StatusNotFound, "NoSuchKey")
			return true
		}
		w.Header().Set("ETag", `"0123456789abcdef"`)
		http.ServeContent(w, &http.Request{Method: http.MethodGet, Header: r.header}, "", time.Time{}, bytes.NewReader(body))
		return true
	case "CreateMultipartUpload":
		e.uploads[key] = map[int][]byte{}
		return false
	case "UploadPart", "UploadPartCopy":
		e.addPart(key, r)
		return false
	case "CompleteMultipartUpload":
		return e.complete(w, key)
	default:
		return false
	}
	w.Header().Set("ETag", `"0123456789abcdef"`)
	return true
}

func (e *equalPartsStore) addPart(key string, r request) {
	query, _ := url.ParseQuery(r.query)
	var n, from, to int
	_, _ = fmt.Sscan(query.Get("partNumber"), &n)
	body := []byte(r.body)
	if r.op == "UploadPartCopy" {
		source, _ := url.PathUnescape(r.header.Get("X-Amz-Copy-Source"))
		_, _ = fmt.Sscanf(r.header.Get("X-Amz-Copy-Source-Range"), "bytes=%d-%d", &from, &to)
		body = e.objects[strings.TrimPrefix(source, "bucket/")][from : to+1]
		e.copies++
	}
	e.uploads[key][n] = body
}

func (e *equalPartsStore) complete(w http.ResponseWriter, key string) bool {
	parts := e.uploads[key]
	var whole []byte
	for n := 1; n <= len(parts); n++ {
		if len(parts[n]) > len(parts[1]) || len(parts[n]) < len(parts[1]) && n < len(parts) {
			e.refused, e.copies = e.refused+1, 0
			refuse(w, http.StatusBadRequest, "InvalidPart")
			return true
		}
		whole = append(whole, parts[n]...)
	}
	e.objects[key] = whole
	return false
}

// TestEqualParts: a file of parts of any length is composed in a store that wants equal ones,
// and the store is asked for others once.
func TestEqualParts(t *testing.T) {
	t.Parallel()
	e, s := newEqualPartsStore(t)
	draw := rand.NewChaCha8([32]byte{})
	var parts []store.Part
	var want []byte
	for i, size := range []int{6 << 20, 11 << 20, 100, 3 << 20, 7} {
		body := make([]byte, size)
		_, _ = draw.Read(body)
		part := store.Part{Key: fmt.Sprintf("chunk-%d", i), Size: int64(size)}
		if size == 100 {
			part = store.Part{Inline: body}
		} else if err := s.Put(t.Context(), part.Key, body, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		parts, want = append(parts, part), append(want, body...)
	}
	for _, key := range []string{"first", "second"} {
		if err := s.Compose(t.Context(), key, parts, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, s, key); !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes that are not the %d of its parts", key, len(got), len(want))
		}
	}
	if e.refused != 1 || e.copies == 0 || !s.WantsEqualParts() {
		t.Errorf("%d uploads were refused, %d parts copied; the store is known: %t", e.refused, e.copies, s.WantsEqualParts())
	}
}

// TestCheckOfEqualParts: the check of a location finds out, says it, and goes on.
func TestCheckOfEqualParts(t *testing.T) {
	t.Parallel()
	_, s := newEqualPartsStore(t)
	found := map[string]store.Capability{}
	for _, c := range store.Check(t.Context(), s) {
		found[c.Name] = c
	}
	if c := found["compose"]; !c.OK {
		t.Errorf("compose: %+v", c)
	}
	if c := found["part-copy"]; c.OK || !strings.Contains(c.Detail, "equal length") || c.Consequence == "" {
		t.Errorf("part-copy: %+v", c)
	}
}

func readAll(t *testing.T, s store.Store, key string) []byte {
	t.Helper()
	r, _, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
