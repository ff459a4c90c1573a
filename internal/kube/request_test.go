package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/lease"
)

// failing answers the first n requests with fail and the rest with an object.
func failing(n int64, fail http.HandlerFunc) (http.HandlerFunc, *atomic.Int64) {
	var calls atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) <= n {
			fail(w, r)
			return
		}
		fmt.Fprint(w, `{"kind":"ConfigMap","metadata":{"name":"a"}}`)
	}, &calls
}

func answer(code int, reason string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeStatus(w, code, reason, "no", "") }
}

func answerWebhook(w http.ResponseWriter, _ *http.Request) {
	writeStatus(w, 500, "InternalError", `Internal error occurred: failed calling webhook "w"`, "")
}

func answerTaken(w http.ResponseWriter, _ *http.Request) {
	writeStatus(w, 500, "InternalError", "Internal error occurred: failed to allocate requested HealthCheck NodePort 30788: provided port is already allocated", "")
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fails int64
		fail  http.HandlerFunc
		calls int64
		is    func(error) bool // nil: succeeds
	}{
		{"429", 3, answer(429, "TooManyRequests"), 4, nil},
		{"503", 2, answer(503, "ServiceUnavailable"), 3, nil},
		{"504", 1, answer(504, "Timeout"), 2, nil},
		{"reply lost", 2, hangUp, 3, nil},
		{"bare 502 of a proxy", 1, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, 2, nil},
		{"500 once", 1, answer(500, "InternalError"), 2, nil},
		{"500 for longer than a moment", 3, answer(500, "InternalError"), 4, nil}, // a fourth pause may be longer than is left of the second
		{"a webhook that does not answer", 9, answerWebhook, webhookTries, IsUnavailable},
		{"a port that another Service has", 9, answerTaken, 1, func(err error) bool { return !IsUnavailable(err) }},
		{"401 once", 1, answer(401, "Unauthorized"), 2, nil},
		{"401 for good", 9, answer(401, "Unauthorized"), 5, IsUnauthorized},
		{"404", 9, answer(404, "NotFound"), 1, IsNotFound},
		{"409", 9, answer(409, "Conflict"), 1, IsConflict},
		{"409 exists", 9, answer(409, "AlreadyExists"), 1, IsAlreadyExists},
		{"403", 9, answer(403, "Forbidden"), 1, IsForbidden},
		{"422", 9, answer(422, "Invalid"), 1, IsInvalid},
		{"400", 9, answer(400, "BadRequest"), 1, IsInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, calls := failing(tt.fails, tt.fail)
				_, err := serve(t, h).Create(context.Background(), configMaps(), "n", []byte(`{"metadata":{"name":"a"}}`), CreateOptions{})
				if calls.Load() != tt.calls {
					t.Errorf("%d requests, want %d", calls.Load(), tt.calls)
				}
				switch {
				case tt.is == nil && err != nil:
					t.Errorf("error %v", err)
				case tt.is != nil && !tt.is(err):
					t.Errorf("error %v is of another kind", err)
				case err != nil && !strings.HasPrefix(err.Error(), "create configmaps n/a: "):
					t.Errorf("error %q does not name the object", err)
				}
			})
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := failing(1, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "1")
			answer(429, "TooManyRequests")(w, r)
		})
		c := serve(t, h)
		c.opts.RetryFor = 5 * time.Second
		start := time.Now()
		if _, err := c.Get(context.Background(), configMaps(), "n", "a"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < time.Second {
			t.Errorf("asked again after %v, the server wanted 1s", took)
		}
		if s := c.Limiter().Stats(); s.Throttled != 1 || s.InFlight != 0 {
			t.Errorf("limiter %+v", s)
		}
	})
}

// TestAskedWaitIsTheLastTry: a server that sheds load is asked once more when it said,
// though the time of the call is over by then.
func TestAskedWaitIsTheLastTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, calls := failing(2, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "1")
			answer(429, "TooManyRequests")(w, r)
		})
		c := serve(t, h)
		c.opts.RetryFor = 500 * time.Millisecond
		if _, err := c.Get(context.Background(), configMaps(), "n", "a"); !apierrors.IsTooManyRequests(err) || calls.Load() != 2 {
			t.Errorf("%v after %d calls", err, calls.Load())
		}
		retry := newRetry(30 * time.Second)
		shed := &StatusError{ErrStatus: metav1.Status{Code: 429, Reason: "TooManyRequests", Details: &metav1.StatusDetails{RetryAfterSeconds: 32}}}
		if wait, again := retry.nextWait(shed); !again || wait != 32*time.Second {
			t.Errorf("asked again %t after %s", again, wait)
		}
		shed.ErrStatus.Details.RetryAfterSeconds = 600
		if wait, again := retry.nextWait(shed); again {
			t.Errorf("asked again after %s", wait)
		}
	})
}

// TestUnansweredWebhook: texts of a real API server.
func TestUnansweredWebhook(t *testing.T) {
	for text, want := range map[string]struct {
		code int32
		name string
	}{
		`Internal error occurred: failed calling webhook "webhook.cert-manager.io": failed to call webhook: Post "https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=30s": no endpoints available for service "cert-manager-webhook"`: {500, "webhook webhook.cert-manager.io"},
		`conversion webhook for cluster.x-k8s.io/v1beta1, Kind=Cluster failed: Post "https://capi.svc:443/convert?timeout=30s": dial tcp 10.0.0.1:443: connect: connection refused`:                                                                   {500, "conversion webhook for cluster.x-k8s.io/v1beta1, Kind=Cluster"},
		`admission webhook "caches.example.com" denied the request: cache is not synced`: {503, "webhook caches.example.com"},
		`admission webhook "policy.example.com" denied the request: no privileged pods`:  {403, ""},
		`Internal error occurred: etcdserver: leader changed`:                            {500, ""},
	} {
		err := fmt.Errorf("create things n/a: %w", &StatusError{ErrStatus: metav1.Status{Code: want.code, Message: text}})
		if got := UnansweredWebhook(err); got != want.name {
			t.Errorf("%q, want %q of %s", got, want.name, text)
		}
	}
	if got := UnansweredWebhook(markLost(errors.New(`failed calling webhook "w"`))); got != "" {
		t.Errorf("%q of a lost connection", got)
	}
}

// TestMissingServiceAccount: texts of a real API server.
func TestMissingServiceAccount(t *testing.T) {
	for text, want := range map[string]string{
		`pods "p" is forbidden: error looking up service account shop/default: serviceaccount "default" not found`: "service account shop/default",
		`pods "p" is forbidden: error looking up service account shop/default: timed out`:                          "",
		`pods "p" is forbidden: exceeded quota: q`:                                                                 "",
	} {
		err := fmt.Errorf("create pods shop/p: %w", &StatusError{ErrStatus: metav1.Status{Code: 403, Reason: "Forbidden", Message: text}})
		if got := MissingServiceAccount(err); got != want {
			t.Errorf("%q, want %q of %s", got, want, text)
		}
	}
}

func TestRetryEndsWithRetryForAndContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, answer(503, "ServiceUnavailable"))
		c.opts.RetryFor = 200 * time.Millisecond
		start := time.Now()
		if _, err := c.Get(context.Background(), configMaps(), "n", "a"); !IsUnavailable(err) || time.Since(start) > time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		c.opts.RetryFor = time.Hour
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if _, err := c.Get(ctx, configMaps(), "n", "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}

func TestServerDown(t *testing.T) {
	srv := httptest.NewServer(answer(200, ""))
	srv.Close()
	c, err := New(&RESTConfig{Host: srv.URL}, Options{RetryFor: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(context.Background(), configMaps(), "n", "a"); !IsUnavailable(err) {
		t.Errorf("error %v is not IsUnavailable", err)
	}
}

func TestSilentServerIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for _, prefix := range []string{"", `{"kind":`} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if prefix != "" {
				fmt.Fprint(w, prefix)
				w.(http.Flusher).Flush()
			}
			<-release
		})
		c.opts.Timeout, c.opts.RetryFor = 50*time.Millisecond, -1
		_, err := c.Get(context.Background(), configMaps(), "n", "a")
		if !IsUnavailable(err) || !strings.Contains(err.Error(), "stopped sending") {
			t.Errorf("after %q: %v", prefix, err)
		}
	}
}

func TestSlowReaderIsNotGivenUp(t *testing.T) {
	s := &pagedServer{names: manyNames(3), rv: 1}
	c := serve(t, s.ServeHTTP)
	c.opts.Timeout, c.opts.RetryFor = 50*time.Millisecond, -1
	_, err := c.ListPage(context.Background(), ListRequest{Resource: configMaps()}, func(Item) error {
		time.Sleep(60 * time.Millisecond)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestForeignBodyIsNotQuoted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"data":{"password":"aHVudGVyMg=="}}`)
		})
		_, err := c.Get(context.Background(), configMaps(), "n", "a")
		if !IsForbidden(err) || strings.Contains(err.Error(), "aHVu") {
			t.Errorf("error %v", err)
		}
	})
}

func TestLargeObjectIsRefused(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", 2000)) })
	c.opts.MaxObject = 1000
	if _, err := c.Get(context.Background(), configMaps(), "n", "a"); err == nil || !strings.Contains(err.Error(), "larger than 1000 bytes") {
		t.Errorf("error %v", err)
	}
}

// TestWrites checks each call's request line, media type and body.
func TestWrites(t *testing.T) {
	var line, media, body string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		line, media, body = r.Method+" "+r.URL.RequestURI(), r.Header.Get("Content-Type"), string(b)
		w.Header().Add("Warning", `299 - "old version"`)
		fmt.Fprint(w, `{"ok":true}`)
	})
	ctx, r := context.Background(), Resource{Group: "apps", Version: "v1", Name: "deployments"}
	grace := int64(0)
	var warned string
	o := WriteOptions{DryRun: true, FieldManager: "velero", FieldValidation: "Ignore", Warn: func(s string) { warned = s }}
	tests := []struct {
		do                func() ([]byte, error)
		line, media, body string
	}{
		{func() ([]byte, error) { return c.Create(ctx, r, "n", []byte(`{"a":1}`), o) }, "POST /apis/apps/v1/namespaces/n/deployments?dryRun=All&fieldManager=velero&fieldValidation=Ignore", "application/json", `{"a":1}`},
		{func() ([]byte, error) {
			return c.Patch(ctx, r, "n", "x", PatchApply, []byte(`{}`), PatchOptions{Force: true})
		}, "PATCH /apis/apps/v1/namespaces/n/deployments/x?force=true", "application/apply-patch+yaml", `{}`},
		{func() ([]byte, error) {
			return c.PatchStatus(ctx, r, "n", "system:x/y", PatchMerge, []byte(`{}`), PatchOptions{})
		}, "PATCH /apis/apps/v1/namespaces/n/deployments/system:x%2Fy/status", "application/merge-patch+json", `{}`},
		{func() ([]byte, error) {
			return []byte(`{"ok":true}`), c.Delete(ctx, r, "n", "x", DeleteOptions{UID: "u", Propagation: "Background", GracePeriodSeconds: &grace, DryRun: true})
		}, "DELETE /apis/apps/v1/namespaces/n/deployments/x", "application/json", `{"apiVersion":"v1","dryRun":["All"],"gracePeriodSeconds":0,"kind":"DeleteOptions","preconditions":{"uid":"u"},"propagationPolicy":"Background"}`},
	}
	for _, tt := range tests {
		out, err := tt.do()
		if err != nil || string(out) != `{"ok":true}` || line != tt.line || media != tt.media || body != tt.body {
			t.Errorf("%s\n%s %s -> %s, %v", line, media, body, out, err)
		}
	}
	if warned != "old version" {
		t.Errorf("warning %q", warned)
	}
}

// TestLease: an attempt whose lease has expired reads, and writes nothing, however long it tries.
func TestLease(t *testing.T) {
	var sent atomic.Int64
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		fmt.Fprint(w, `{}`)
	})
	ctx, end := lease.Begin(t.Context(), -1)
	defer end()
	r, ctx := Resource{Group: "apps", Version: "v1", Name: "deployments"}, context.WithoutCancel(ctx)
	_, create := c.Create(ctx, r, "n", []byte(`{}`), WriteOptions{})
	_, patch := c.Patch(ctx, r, "n", "x", PatchMerge, []byte(`{}`), PatchOptions{})
	for _, err := range []error{create, patch, c.Delete(ctx, r, "n", "x", DeleteOptions{})} {
		if !errors.Is(err, lease.ErrExpired) {
			t.Errorf("got %v", err)
		}
	}
	if n := sent.Load(); n > 0 {
		t.Errorf("%d writes were sent", n)
	}
	if _, err := c.Get(ctx, r, "n", "x"); err != nil || sent.Load() != 1 {
		t.Errorf("a read: %v", err)
	}
}

func TestHostWithPath(t *testing.T) {
	var path string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { path = r.URL.Path }))
	defer srv.Close()
	c, err := New(&RESTConfig{Host: srv.URL + "/k8s/clusters/c1/"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(context.Background()); err != nil || path != "/k8s/clusters/c1/readyz" {
		t.Errorf("path %s, %v", path, err)
	}
}

func TestErrorKinds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		terminating := `"causes":[{"reason":"NamespaceTerminating","message":"x","field":"metadata.namespace"}]`
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			fmt.Fprintf(w, `{"kind":"Status","status":"Failure","reason":"Forbidden","details":{%s},"code":403}`, terminating)
		})
		_, err := c.Get(context.Background(), configMaps(), "n", "a")
		if !IsTerminating(err) || !IsForbidden(err) || IsUnavailable(err) || IsTerminating(nil) || IsUnavailable(nil) {
			t.Errorf("error %v", err)
		}
		var status *StatusError
		if !errors.As(err, &status) || status.ErrStatus.Code != 403 {
			t.Errorf("no status in %v", err)
		}
	})
}

// FuzzStatus: whatever a server answers with, the error is made without a
// panic and keeps the HTTP code.
func FuzzStatus(f *testing.F) {
	f.Add(403, "5", []byte(`{"kind":"Status","details":{"retryAfterSeconds":3}}`))
	f.Add(500, "-1", []byte(`<html>`))
	f.Fuzz(func(t *testing.T, code int, after string, body []byte) {
		if code < 300 || code > 599 {
			return
		}
		err := statusError(&http.Response{StatusCode: code, Header: http.Header{"Retry-After": {after}}}, body)
		var status *StatusError
		if !errors.As(err, &status) || int(status.ErrStatus.Code) != code {
			t.Fatalf("code %d became %v", code, err)
		}
		if _, err := json.Marshal(status.ErrStatus); err != nil {
			t.Fatal(err)
		}
	})
}
