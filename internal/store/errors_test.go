package store_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

func TestClassification(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		code   string
		want   error
	}{
		{404, "NoSuchKey", store.ErrNotFound},
		{404, "NoSuchBucket", store.ErrNoBucket},
		{403, "AccessDenied", store.ErrAccessDenied},
		{403, "InvalidAccessKeyId", store.ErrCredentials},
		{403, "SignatureDoesNotMatch", store.ErrCredentials},
		{400, "ExpiredToken", store.ErrCredentials},
		{400, "InvalidToken", store.ErrCredentials},
		{403, "RequestTimeTooSkewed", store.ErrCredentials},
		{301, "PermanentRedirect", store.ErrRegion},
		{400, "AuthorizationHeaderMalformed", store.ErrRegion},
		{501, "NotImplemented", store.ErrUnsupported},
		{405, "MethodNotAllowed", store.ErrUnsupported},
		{400, "InvalidRequest", store.ErrInvalid},
		{418, "SomethingNew", nil},
		{403, "SomethingNew", store.ErrAccessDenied},
		{404, "SomethingNew", nil},
		{404, "XAdminUserNotFound", store.ErrCredentials},
	} {
		t.Run(fmt.Sprintf("%d %s", tt.status, tt.code), func(t *testing.T) {
			rec := newRecorder(t)
			rec.answer = func(w http.ResponseWriter, _ request) bool {
				refuse(w, tt.status, tt.code)
				return true
			}
			_, _, err := rec.open(t, nil).Get(t.Context(), "some/key")
			checkKind(t, err, tt.want)
			for _, part := range []string{`get "some/key"`, tt.code, "refused by the test", fmt.Sprint(tt.status)} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not mention %q", err, part)
				}
			}
		})
	}
}

func checkKind(t *testing.T, err, want error) {
	t.Helper()
	var e *awserr.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T %v", err, err)
	}
	if !errors.Is(e.Kind, want) && e.Kind != want {
		t.Errorf("got kind %v, want %v", e.Kind, want)
	}
}

// An answer to HEAD has no body, so the status must do.
func TestClassificationOfHead(t *testing.T) {
	for status, want := range map[int]error{404: store.ErrNotFound, 403: store.ErrAccessDenied, 401: store.ErrCredentials, 405: store.ErrUnsupported} {
		rec := newRecorder(t)
		rec.answer = func(w http.ResponseWriter, _ request) bool {
			w.WriteHeader(status)
			return true
		}
		_, err := rec.open(t, nil).Head(t.Context(), "k")
		checkKind(t, err, want)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for all retries")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, location(map[string]string{"s3Url": endpoint, "s3ForcePathStyle": "true", "credentialsFile": credentialsFile(t, "a", "b")}))
	_, err = s.Head(t.Context(), "k")
	wantIs(t, err, store.ErrUnavailable)
}

func TestRetriesOnServerErrors(t *testing.T) {
	t.Parallel()
	rec := newRecorder(t)
	left := 2
	rec.answer = func(w http.ResponseWriter, _ request) bool {
		if left == 0 {
			return false
		}
		left--
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
		return true
	}
	if err := rec.open(t, nil).Put(t.Context(), "k", []byte("x"), store.PutOptions{}); err != nil {
		t.Errorf("put: %v", err)
	}
	if n := len(rec.only(t, "PutObject")); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestReadOnly(t *testing.T) {
	rec := newRecorder(t)
	bsl := location(map[string]string{"s3Url": rec.URL, "s3ForcePathStyle": "true", "credentialsFile": credentialsFile(t, "a", "b")})
	bsl.Spec.AccessMode = "ReadOnly"
	s := open(t, bsl)
	ctx := t.Context()
	wantIs(t, s.Put(ctx, "k", nil, store.PutOptions{}), store.ErrReadOnly)
	wantIs(t, s.Delete(ctx, "k"), store.ErrReadOnly)
	wantIs(t, s.Compose(ctx, "k", nil, store.PutOptions{}), store.ErrReadOnly)
	_, err := s.DeletePrefix(ctx, "k/")
	wantIs(t, err, store.ErrReadOnly)
	_, err = s.AbortUploads(ctx, "k/")
	wantIs(t, err, store.ErrReadOnly)
	_, err = s.Conditional(ctx)
	wantIs(t, err, store.ErrReadOnly)
	if rec.count() != 0 {
		t.Errorf("%d requests went out", rec.count())
	}
	if _, err := s.Head(ctx, "k"); err != nil {
		t.Errorf("reading must work: %v", err)
	}
}
