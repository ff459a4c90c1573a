package store_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

var once = store.PutOptions{IfAbsent: true}

// isProbe tells the requests of the probe for conditional writes from others.
func isProbe(r request) bool { return strings.Contains(r.path, "plugins/lifeboat/check/") }

// probeAnswer plays the store's side of the probe: the second write is refused.
func probeAnswer(w http.ResponseWriter, r request, puts *atomic.Int32) bool {
	if isProbe(r) && r.op == "PutObject" && puts.Add(1) == 2 {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return true
	}
	return false
}

func TestConflictIsRetried(t *testing.T) {
	rec := newRecorder(t)
	var probes, tries atomic.Int32
	rec.answer = func(w http.ResponseWriter, r request) bool {
		if r.op == "PutObject" && !isProbe(r) && tries.Add(1) < 3 {
			refuse(w, http.StatusConflict, "ConditionalRequestConflict")
			return true
		}
		return probeAnswer(w, r, &probes)
	}
	if err := rec.open(t, nil).Put(t.Context(), "k", []byte("x"), once); err != nil || tries.Load() != 3 {
		t.Errorf("%d tries, %v", tries.Load(), err)
	}
}

// The first answer is lost, the retry finds the key taken by our own bytes.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for stored, want := range map[string]error{"hello": nil, "other": store.ErrExists} {
		rec := newRecorder(t)
		var probes, tries atomic.Int32
		rec.answer = func(w http.ResponseWriter, r request) bool {
			switch {
			case isProbe(r) || r.op != "PutObject" && r.op != "GetObject":
				return probeAnswer(w, r, &probes)
			case r.op == "GetObject":
				_, _ = w.Write([]byte(stored))
			case tries.Add(1) == 1:
				refuse(w, http.StatusInternalServerError, "InternalError")
			default:
				refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
			}
			return true
		}
		err := rec.open(t, nil).Put(t.Context(), "k", []byte("hello"), once)
		if want == nil && err != nil {
			t.Errorf("stored %q: %v", stored, err)
		} else if want != nil {
			wantIs(t, err, want)
		}
	}
}

// A store that ignores the condition, and one that refuses it.
func TestWithoutConditionalWrites(t *testing.T) {
	for name, refusal := range map[string]int{"ignores": 0, "refuses": http.StatusNotImplemented} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			taken := atomic.Bool{}
			rec.answer = func(w http.ResponseWriter, r request) bool {
				switch {
				case refusal != 0 && r.header.Get("If-None-Match") != "":
					refuse(w, refusal, "NotImplemented")
				case r.op == "HeadObject" && !taken.Load():
					w.WriteHeader(http.StatusNotFound)
				default:
					return false
				}
				return true
			}
			s := rec.open(t, nil)
			if yes, err := s.Conditional(t.Context()); yes || err != nil {
				t.Fatalf("conditional = %v, %v", yes, err)
			}
			if err := s.Put(t.Context(), "k", []byte("x"), once); err != nil {
				t.Errorf("absent: %v", err)
			}
			taken.Store(true)
			wantIs(t, s.Put(t.Context(), "k", []byte("x"), once), store.ErrExists)
			wantIs(t, s.Compose(t.Context(), "k", []store.Part{{Key: "s", Size: 6 << 20}}, once), store.ErrExists)
		})
	}
}

// Unknown to the store, part copies are replaced by reading and sending.
func TestWithoutPartCopy(t *testing.T) {
	t.Parallel()
	rec := newRecorder(t)
	rec.answer = func(w http.ResponseWriter, r request) bool {
		switch r.op {
		case "UploadPartCopy":
			refuse(w, http.StatusNotImplemented, "NotImplemented")
		case "GetObject":
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(make([]byte, 6<<20))
		default:
			return false
		}
		return true
	}
	s := rec.open(t, nil)
	for range 2 {
		parts := []store.Part{{Key: "s", Size: 6 << 20}, {Inline: make([]byte, 3<<20)}}
		if err := s.Compose(t.Context(), "k", parts, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if !s.PartCopyMissing() || len(rec.only(t, "UploadPartCopy")) != 1 {
		t.Error("the refusal is not remembered")
	}
	rec.only(t, "AbortMultipartUpload")
	if n := len(rec.only(t, "CompleteMultipartUpload")); n != 2 {
		t.Errorf("%d completed, want 2", n)
	}
}

func TestCompleteWithLostAnswer(t *testing.T) {
	rec := newRecorder(t)
	var tries atomic.Int32
	rec.answer = func(w http.ResponseWriter, r request) bool {
		switch {
		case r.op == "HeadObject":
			w.Header().Set("ETag", `"abc-2"`)
			w.Header().Set("Content-Length", "9")
		case r.op == "CompleteMultipartUpload" && tries.Add(1) == 1:
			refuse(w, http.StatusInternalServerError, "InternalError")
		case r.op == "CompleteMultipartUpload":
			refuse(w, http.StatusNotFound, "NoSuchUpload")
		default:
			return false
		}
		return true
	}
	parts := []store.Part{{Key: "s", Size: 6 << 20}, {Inline: []byte("x")}}
	if err := rec.open(t, nil).Compose(t.Context(), "k", parts, store.PutOptions{}); err != nil {
		t.Error(err)
	}
}

func TestLocked(t *testing.T) {
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for name, tt := range map[string]struct {
		header map[string]string
		want   error
	}{
		"retention":  {map[string]string{"X-Amz-Object-Lock-Mode": "COMPLIANCE", "X-Amz-Object-Lock-Retain-Until-Date": until}, store.ErrLocked},
		"legal hold": {map[string]string{"X-Amz-Object-Lock-Legal-Hold": "ON"}, store.ErrLocked},
		"no lock":    {nil, store.ErrAccessDenied},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			rec.answer = func(w http.ResponseWriter, r request) bool {
				for k, v := range tt.header {
					w.Header().Set(k, v)
				}
				switch r.op {
				case "DeleteObject":
					refuse(w, http.StatusForbidden, "AccessDenied")
				case "DeleteObjects":
					_, _ = w.Write([]byte(`<DeleteResult><Error><Key>clusters/one/b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>`))
				default:
					return false
				}
				return true
			}
			s := rec.open(t, nil)
			wantIs(t, s.Delete(t.Context(), "k"), tt.want)
			err := s.Delete(t.Context(), "a", "b")
			wantIs(t, err, tt.want)
			if !strings.Contains(err.Error(), `"b"`) {
				t.Errorf("%v does not name the object", err)
			}
		})
	}
}

func TestDeleteWithoutBatches(t *testing.T) {
	rec := newRecorder(t)
	rec.answer = func(w http.ResponseWriter, r request) bool {
		if r.op == "DeleteObjects" {
			refuse(w, http.StatusNotImplemented, "NotImplemented")
			return true
		}
		return false
	}
	if err := rec.open(t, nil).Delete(t.Context(), "a", "b", "c"); err != nil {
		t.Error(err)
	}
	if n := len(rec.only(t, "DeleteObject")); n != 3 {
		t.Errorf("%d deleted one by one, want 3", n)
	}
}
