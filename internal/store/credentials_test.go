package store_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// An outage of who issues credentials passes; that there are none, or that STS refuses to give
// any, does not.
func TestCredentialsOutage(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("jwt"), 0o600); err != nil {
		t.Fatal(err)
	}
	sts := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>m</Message></Error></ErrorResponse>`, code)
		}
	}
	for name, tc := range map[string]struct {
		sts   http.HandlerFunc
		final bool
	}{
		"refused connection":    {nil, false},
		"503":                   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, false},
		"throttled":             {sts(400, "Throttling"), false},
		"IDPCommunicationError": {sts(400, "IDPCommunicationError"), false},
		"AccessDenied":          {sts(403, "AccessDenied"), true},
		"InvalidIdentityToken":  {sts(400, "InvalidIdentityToken"), true},
		"SomethingNew":          {sts(400, "SomethingNew"), true},
	} {
		t.Run(name, func(t *testing.T) {
			url := "http://127.0.0.1:1"
			if tc.sts != nil {
				srv := httptest.NewServer(tc.sts)
				defer srv.Close()
				url = srv.URL
			}
			for k, v := range map[string]string{
				"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/lifeboat", "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_REGION": "eu-central-1",
				"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_STS": url, "AWS_MAX_ATTEMPTS": "1",
			} {
				t.Setenv(k, v)
			}
			wantFinal(t, tc.final)
		})
	}
	podIdentity(t)
	t.Run("none at all", func(t *testing.T) {
		for _, k := range []string{"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"} {
			t.Setenv(k, "")
		}
		t.Setenv("HOME", t.TempDir())
		t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
		s, err := store.Open(t.Context(), location(map[string]string{"region": "eu-central-1", "s3Url": newRecorder(t).URL, "s3ForcePathStyle": "true"}), store.Options{Attempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		wantIs(t, s.Put(t.Context(), "k", nil, store.PutOptions{}), store.ErrCredentials)
	})
}

// podIdentity: so it is where EKS Pod Identity's agent, a process on the node, issues them.
func podIdentity(t *testing.T) {
	t.Helper()
	answers := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"code":%q,"message":"m"}`, code)
		}
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("jwt"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		agent http.HandlerFunc
		final bool
	}{
		"agent out of reach":       {nil, false},
		"agent's 500":              {answers(500, "InternalServerException"), false},
		"agent's 503":              {answers(503, "ServiceUnavailableException"), false},
		"agent throttled":          {answers(429, "ThrottlingException"), false},
		"agent AccessDenied":       {answers(403, "AccessDeniedException"), true},
		"agent without a role":     {answers(404, "ResourceNotFoundException"), true},
		"agent's token is invalid": {answers(400, "InvalidTokenException"), true},
	} {
		t.Run(name, func(t *testing.T) {
			url := "http://127.0.0.1:1"
			if tc.agent != nil {
				srv := httptest.NewServer(tc.agent)
				defer srv.Close()
				url = srv.URL
			}
			for k, v := range map[string]string{
				"AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "HOME": t.TempDir(),
				"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token, "AWS_REGION": "eu-central-1",
				"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
			} {
				t.Setenv(k, v)
			}
			wantFinal(t, tc.final)
		})
	}
}

// wantFinal writes with the credentials of the environment.
func wantFinal(t *testing.T, final bool) {
	t.Helper()
	s, err := store.Open(t.Context(), location(map[string]string{"region": "eu-central-1", "s3Url": newRecorder(t).URL, "s3ForcePathStyle": "true"}), store.Options{Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Put(t.Context(), "k", nil, store.PutOptions{})
	if err == nil || (failure.TypeOf(err) != "") != final {
		t.Errorf("final %t, want %t: %v", failure.TypeOf(err) != "", final, err)
	}
}

// Keys that were rotated in the Secret are used from the first refusal of the old ones on. Where
// they are the old ones still, the refusal stands.
func TestRotatedCredentials(t *testing.T) {
	for name, rotated := range map[string]bool{"rotated": true, "not rotated": false} {
		t.Run(name, func(t *testing.T) {
			rec, key := newRecorder(t), atomic.Pointer[string]{}
			first, second := "AKIDONE", "AKIDTWO"
			key.Store(&first)
			refused := false
			rec.answer = func(w http.ResponseWriter, r request) bool {
				if !refused || !strings.Contains(r.header.Get("Authorization"), first) {
					return false
				}
				if r.op == "HeadObject" { // without a body, as S3 answers to an expired token
					w.WriteHeader(http.StatusBadRequest)
				} else {
					refuse(w, http.StatusForbidden, "InvalidAccessKeyId")
				}
				return true
			}
			bsl := location(map[string]string{"region": "eu-central-1", "s3Url": rec.URL, "s3ForcePathStyle": "true"})
			bsl.Spec.Credential = &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "cloud"}, Key: "keys"}
			s := openWithSecret(t, bsl, func() string { return *key.Load() })
			if err := s.Put(t.Context(), "k", nil, store.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			refused = true
			if rotated {
				key.Store(&second)
			}
			for range 2 {
				_, headErr := s.Head(t.Context(), "k")
				for _, err := range []error{headErr, s.Put(t.Context(), "k", nil, store.PutOptions{})} {
					if rotated && err != nil {
						t.Error(err)
					}
					if !rotated {
						wantIs(t, err, store.ErrCredentials)
					}
				}
			}
		})
	}
}

func openWithSecret(t *testing.T, bsl velerov1.BackupStorageLocation, key func() string) *store.S3 {
	t.Helper()
	s, err := store.Open(t.Context(), bsl, store.Options{Attempts: 3, Secret: func(context.Context, string, string) ([]byte, error) {
		return fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = secret\n", key()), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What was damaged on the way, and what the store is too busy for, passes.
func TestPassingRefusals(t *testing.T) {
	t.Parallel()
	for code, status := range map[string]int{
		"BadDigest": 400, "IncompleteBody": 400, "XAmzContentSHA256Mismatch": 400, "XAmzContentChecksumMismatch": 400, "NeverHeardOf": 400,
		"SlowDown": 503, "ServiceUnavailable": 503, "InternalError": 500, "RequestTimeout": 400, "OperationAborted": 409, "ConditionalRequestConflict": 409,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			rec := newRecorder(t)
			rec.answer = func(w http.ResponseWriter, _ request) bool {
				refuse(w, status, code)
				return true
			}
			if err := rec.open(t, nil).Put(t.Context(), "k", []byte("x"), store.PutOptions{}); err == nil || failure.TypeOf(err) != "" {
				t.Errorf("%s: %v", failure.TypeOf(err), err)
			}
		})
	}
}
