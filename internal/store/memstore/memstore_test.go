package memstore_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/store/storetest"
)

// Copies take their time here, as those of a real store do: the suite cancels a
// large one on its way.
func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		return memstore.New(memstore.WithDelay(memstore.On(memstore.OpCopy), 3*time.Millisecond))
	})
}

func TestConformanceLocked(t *testing.T) {
	storetest.RunLocked(t, func(*testing.T) (store.Store, func(string), func(string)) {
		s := memstore.New()
		lock := func(key string) { s.Lock(key, store.ErrLocked) }
		return s, lock, lock
	})
}

func put(t *testing.T, s store.Store, key, body string) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(body), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestFaults(t *testing.T) {
	broken := errors.New("broken")
	s := memstore.New(memstore.WithObjects(map[string][]byte{"a": []byte("1"), "b/x": []byte("2"), "b/y": []byte("3")}))
	s.Fail(memstore.Match(memstore.Any).Key("b/").Times(2), broken)
	s.Fail(memstore.On(memstore.OpDelete).Key("y"), store.ErrLocked)
	if _, err := s.Head(t.Context(), "a"); err != nil {
		t.Errorf("another key: %v", err)
	}
	for range 2 {
		if _, _, err := s.Get(t.Context(), "b/x"); !errors.Is(err, broken) {
			t.Errorf("within the first two: %v", err)
		}
	}
	n, err := s.DeletePrefix(t.Context(), "b/")
	if n != 1 || !errors.Is(err, store.ErrLocked) || errors.Is(err, broken) {
		t.Errorf("deleted %d, %v", n, err)
	}
	if got := s.Keys(); !slices.Equal(got, []string{"a", "b/y"}) {
		t.Errorf("left %q", got)
	}
	s.Heal()
	if err := s.Delete(t.Context(), "b/y"); err != nil || s.Has("b/y") {
		t.Errorf("healed: %v", err)
	}
	if got := s.Count(memstore.On(memstore.OpDelete)); got != 3 {
		t.Errorf("%d deletions recorded: %v", got, s.Requests())
	}
}

func TestFaultAfterSomeRequests(t *testing.T) {
	s := memstore.New(memstore.WithFault(memstore.On(memstore.OpPut).After(1), store.ErrUnavailable))
	put(t, s, "a", "1")
	if err := s.Put(t.Context(), "b", nil, store.PutOptions{}); !errors.Is(err, store.ErrUnavailable) || s.Has("b") {
		t.Errorf("second put: %v", err)
	}
}

// A fault of one copy leaves nothing of the whole.
func TestComposeFault(t *testing.T) {
	s := memstore.New(memstore.WithFault(memstore.On(memstore.OpCopy).Key("b"), store.ErrUnavailable))
	put(t, s, "a", "1")
	put(t, s, "b", "2")
	parts := []store.Part{{Key: "a", Size: 1}, {Inline: []byte("-")}, {Key: "b", Size: 1}}
	if err := s.Compose(t.Context(), "c", parts, store.PutOptions{}); !errors.Is(err, store.ErrUnavailable) || s.Has("c") {
		t.Errorf("composed: %v", err)
	}
}

func TestLostReply(t *testing.T) {
	s := memstore.New(memstore.WithLostReply(memstore.On(memstore.OpPut).Times(1), store.ErrUnavailable))
	once := store.PutOptions{IfAbsent: true}
	if err := s.Put(t.Context(), "a", []byte("1"), once); !errors.Is(err, store.ErrUnavailable) || !s.Has("a") {
		t.Errorf("first: %v, stored: %v", err, s.Has("a"))
	}
	if err := s.Put(t.Context(), "a", []byte("1"), once); !errors.Is(err, store.ErrExists) {
		t.Errorf("second: %v", err)
	}
}

func TestDelayEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.WithDelay(memstore.Any, time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if _, err := s.Head(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestSignedURLExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		put(t, s, "a b/c", "1")
		url, err := s.Presign(t.Context(), "a b/c", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.FetchURL(t.Context(), url); err != nil || string(got) != "1" {
			t.Errorf("%q, %v", got, err)
		}
		for name, bad := range map[string]string{"another key": strings.Replace(url, "/c", "/d", 1), "another time": strings.Replace(url, "expires=", "expires=9", 1)} {
			if _, err := s.FetchURL(t.Context(), bad); !errors.Is(err, store.ErrAccessDenied) {
				t.Errorf("%s: %v", name, err)
			}
		}
		time.Sleep(2 * time.Minute)
		if _, err := s.FetchURL(t.Context(), url); !errors.Is(err, store.ErrAccessDenied) {
			t.Errorf("expired: %v", err)
		}
	})
}

func TestReadOnly(t *testing.T) {
	s := memstore.New(memstore.WithReadOnly(), memstore.WithObjects(map[string][]byte{"a": nil}))
	_, prefixErr := s.DeletePrefix(t.Context(), "a")
	_, abortErr := s.AbortUploads(t.Context(), "a")
	_, probeErr := s.Conditional(t.Context())
	for i, err := range []error{
		s.Put(t.Context(), "b", nil, store.PutOptions{}), s.Delete(t.Context(), "a"), s.Compose(t.Context(), "b", nil, store.PutOptions{}),
		prefixErr, abortErr, probeErr,
	} {
		if !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if _, err := s.Head(t.Context(), "a"); err != nil || len(s.Keys()) != 1 {
		t.Errorf("reading must work: %v", err)
	}
}

func TestUnfinishedUploads(t *testing.T) {
	s := memstore.New()
	s.SetUpload("a/1")
	s.SetUpload("a/1")
	s.SetUpload("b")
	if n, err := s.AbortUploads(t.Context(), "a/"); n != 2 || err != nil {
		t.Errorf("aborted %d, %v", n, err)
	}
	if n, err := s.AbortUploads(t.Context(), "b"); n != 1 || err != nil {
		t.Errorf("aborted %d, %v", n, err)
	}
}

// A body ends with the call that opened it, and is not read after its close.
func TestBody(t *testing.T) {
	s := memstore.New(memstore.WithoutConditionalWrites(), memstore.WithObjects(map[string][]byte{"a": []byte("1")}))
	ctx, cancel := context.WithCancel(t.Context())
	r, _, err := s.Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("after the call: %v", err)
	}
	r, _, err = s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if _, err := io.ReadAll(r); err == nil {
		t.Error("a closed body was read")
	}
	if yes, err := s.Conditional(t.Context()); yes || err != nil {
		t.Errorf("conditional: %v, %v", yes, err)
	}
}
