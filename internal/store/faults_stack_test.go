//go:build stack

package store_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/storetest"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

func TestRealErrors(t *testing.T) {
	bucket := shared.newBucket(t, false)
	t.Run("missing bucket", func(t *testing.T) {
		s := open(t, shared.location(t, "not-there", nil))
		wantIs(t, s.Put(t.Context(), "k", nil, store.PutOptions{}), store.ErrNoBucket)
		_, err := s.Dirs(t.Context(), "")
		wantIs(t, err, store.ErrNoBucket)
		if c := store.Check(t.Context(), s); c[0].OK {
			t.Errorf("check finds nothing wrong: %+v", c)
		}
	})
	for name, keys := range map[string][2]string{"wrong secret": {accessKey, "wrong"}, "unknown account": {"nobody", "x"}} {
		t.Run(name, func(t *testing.T) {
			s := open(t, shared.location(t, bucket, map[string]string{"credentialsFile": credentialsFile(t, keys[0], keys[1])}))
			wantIs(t, s.Put(t.Context(), "k", nil, store.PutOptions{}), store.ErrCredentials)
			_, err := s.Dirs(t.Context(), "")
			wantIs(t, err, store.ErrCredentials)
		})
	}
}

// A bucket with versions hides a locked object where it is deleted, without an error: only a
// look before tells. The bytes stay in any case.
func TestRealLock(t *testing.T) {
	bucket, versions := shared.newBucket(t, true), map[string]*string{}
	key := func(key string) *string { return aws.String("clusters/one/" + key) }
	storetest.RunLocked(t, func(t *testing.T) (store.Store, func(string), func(string)) {
		retain := func(name string) {
			head, err := shared.admin.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: key(name)})
			if err != nil {
				t.Fatal(err)
			}
			versions[name] = head.VersionId
			_, err = shared.admin.PutObjectRetention(t.Context(), &s3.PutObjectRetentionInput{
				Bucket: aws.String(bucket), Key: key(name), VersionId: head.VersionId,
				Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeCompliance, RetainUntilDate: aws.Time(time.Now().Add(time.Hour))},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		hold := func(name string) {
			_, err := shared.admin.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
				Bucket: aws.String(bucket), Key: key(name), LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOn},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return open(t, shared.location(t, bucket, nil)), retain, hold
	})
	out, err := shared.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: key("retained"), VersionId: versions["retained"]})
	if err != nil {
		t.Fatalf("the locked version is gone: %v", err)
	}
	_ = out.Body.Close()
}

// An upload whose process died is found and dropped.
func TestAbandonedUpload(t *testing.T) {
	bucket := shared.newBucket(t, false)
	s := open(t, shared.location(t, bucket, nil))
	ctx := t.Context()
	for _, key := range []string{"staging/u1/a", "staging/u1/b", "staging/u2/c"} {
		if _, err := shared.admin.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("clusters/one/" + key)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{2, 0} {
		if n, err := s.AbortUploads(ctx, "staging/u1/"); n != want || err != nil {
			t.Errorf("aborted %d, %v; want %d", n, err, want)
		}
	}
	if n, err := s.AbortUploads(ctx, "staging/"); n != 1 || err != nil {
		t.Errorf("aborted %d, %v; want the other one", n, err)
	}
}

// The line to the store is cut for seconds in the middle of everything; all of
// it succeeds once the line is back.
func TestCutAndHealed(t *testing.T) {
	proxy, err := stack.NewProxy(shared.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	bsl := shared.location(t, shared.newBucket(t, false), map[string]string{"s3Url": "http://" + proxy.Addr()})
	s, err := store.Open(t.Context(), bsl, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 64<<20)
	_, _ = rand.Read(body)
	ctx := t.Context()
	if err := s.Put(ctx, "first", body, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Get(ctx, "first")
	if err != nil {
		t.Fatal(err)
	}
	slow := &throttled{r: r}
	whileCut(t, proxy, 700*time.Millisecond, func() {
		read, err := io.ReadAll(slow)
		if err == nil {
			err = s.Put(ctx, "second", read, store.PutOptions{IfAbsent: true})
		}
		if err != nil {
			t.Errorf("read and put: %v", err)
		}
	})
	parts := []store.Part{{Key: "first", Size: int64(len(body))}, {Inline: []byte("tail")}}
	whileCut(t, proxy, 20*time.Millisecond, func() {
		if err := s.Compose(ctx, "third", parts, store.PutOptions{IfAbsent: true}); err != nil {
			t.Errorf("compose: %v", err)
		}
	})
	for key, want := range map[string][]byte{"second": body, "third": append(body, "tail"...)} {
		r, _, err := s.Get(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d of %d bytes, %v", key, len(got), len(want), err)
		}
	}
	t.Logf("%+v", s.Stats())
}

// whileCut cuts the line again and again while something is done, once at least. It holds
// twice as long each time: on a slow machine a part gets through, too.
func whileCut(t *testing.T, proxy *stack.Proxy, holds time.Duration, do func()) {
	t.Helper()
	cuts, done, healed := 0, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(healed)
		for ; ; holds *= 2 {
			select {
			case <-done:
				return
			case <-time.After(holds):
			}
			cuts++
			proxy.Cut()
			time.Sleep(900 * time.Millisecond)
			if err := proxy.Heal(); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	do()
	close(done)
	<-healed
	if cuts == 0 {
		t.Errorf("it was over before the first cut")
	}
}

// throttled reads at some 40 MB/s, so that cuts hit the middle.
type throttled struct{ r io.Reader }

func (t *throttled) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return t.r.Read(p[:min(len(p), 40<<10)])
}

func BenchmarkPut(b *testing.B) {
	for name, config := range map[string]map[string]string{"crc32": nil, "none": {"checksumAlgorithm": ""}} {
		b.Run(name, func(b *testing.B) {
			s := shared.open(b, config)
			body := make([]byte, 8<<20)
			_, _ = rand.Read(body)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Put(b.Context(), "k", body, store.PutOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := shared.open(b, nil)
	body := make([]byte, 8<<20)
	if err := s.Put(b.Context(), "k", body, store.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r, _, err := s.Get(b.Context(), "k")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		_ = r.Close()
	}
}

func BenchmarkGetRangeSmall(b *testing.B) {
	s := shared.open(b, nil)
	if err := s.Put(b.Context(), "k", make([]byte, 8<<20), store.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := s.GetRange(b.Context(), "k", 4<<20, 64<<10)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r)
		_ = r.Close()
	}
}

func BenchmarkCompose(b *testing.B) {
	s := shared.open(b, nil)
	if err := s.Put(b.Context(), "k", make([]byte, 8<<20), store.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	var parts []store.Part
	for range 10 {
		parts = append(parts, store.Part{Key: "k", Size: 8 << 20})
	}
	b.SetBytes(80 << 20)
	for b.Loop() {
		if err := s.Compose(b.Context(), "composed", parts, store.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
