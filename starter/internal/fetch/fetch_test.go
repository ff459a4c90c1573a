package fetch_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
)

const signature = "X-Amz-Signature=s3cr3t"

func get(t *testing.T, o fetch.Options, url string) (string, error) {
	t.Helper()
	c, err := fetch.New(o)
	if err != nil {
		return "", err
	}
	body, _, err := c.Open(t.Context(), url)
	if err != nil {
		return "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), nil
}

// TestOldTLS: a server that knows no newer version than TLS 1.1 is not spoken to.
func TestOldTLS(t *testing.T) {
	for newest, reached := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") }))
		srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: newest}
		srv.StartTLS()
		defer srv.Close()
		if got, err := get(t, fetch.Options{InsecureSkipTLSVerify: true}, srv.URL); (err == nil && got == "body") != reached {
			t.Errorf("%s at most: %q, %v", tls.VersionName(newest), got, err)
		}
	}
}

func TestOpen(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			_, _ = io.WriteString(w, "body")
		case "/denied":
			w.WriteHeader(http.StatusForbidden)
		case "/broken":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	if got, err := get(t, fetch.Options{}, srv.URL+"/ok?"+signature); err != nil || got != "body" {
		t.Errorf("%q, %v", got, err)
	}
	for path, want := range map[string]string{
		srv.URL + "/missing":    "file not found in the bucket",
		srv.URL + "/denied":     "refused the signed URL (403 Forbidden)",
		srv.URL + "/broken":     "503 Service Unavailable",
		"http://127.0.0.1:1/x":  "set publicUrl in the storage location's config",
		"://":                   "no usable URL",
		"":                      "no usable URL",
		"gopher://127.0.0.1/ok": "unsupported protocol scheme",
	} {
		_, err := get(t, fetch.Options{}, path+"?"+signature)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
			continue
		}
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the signature stands in the error: %v", err)
		}
		if errors.Is(err, fetch.ErrNotFound) != strings.HasSuffix(path, "/missing") {
			t.Errorf("%s: ErrNotFound is told wrongly: %v", path, err)
		}
	}
}

func TestTrust(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") }))
	defer srv.Close()
	srv.Config.ErrorLog = nil
	dir := t.TempDir()
	ca, junk := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "junk")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := errors.Join(os.WriteFile(ca, block, 0o600), os.WriteFile(junk, []byte("junk"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, fetch.Options{}, srv.URL); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority was trusted: %v", err)
	}
	if got, err := get(t, fetch.Options{CACert: ca}, srv.URL); err != nil || got != "body" {
		t.Errorf("with --cacert: %q, %v", got, err)
	}
	if got, err := get(t, fetch.Options{InsecureSkipTLSVerify: true}, srv.URL); err != nil || got != "body" {
		t.Errorf("without verification: %q, %v", got, err)
	}
	if _, err := get(t, fetch.Options{CACert: junk}, srv.URL); err == nil || !strings.Contains(err.Error(), "holds no PEM certificate") {
		t.Errorf("junk as --cacert: %v", err)
	}
}

func TestPlain(t *testing.T) {
	var packed bytes.Buffer
	for _, part := range []string{"one ", "two"} { // files are made of several members
		z := gzip.NewWriter(&packed)
		_, _ = io.WriteString(z, part)
		_ = z.Close()
	}
	for name, tc := range map[string]struct{ in, want string }{
		"gzip":  {packed.String(), "one two"},
		"text":  {"text", "text"},
		"short": {"x", "x"},
		"empty": {"", ""},
	} {
		r, err := fetch.Plain(strings.NewReader(tc.in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != tc.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := fetch.Plain(strings.NewReader("\x1f\x8bjunk")); err == nil {
		t.Error("a broken gzip header was accepted")
	}
}

// TestOpenRange reads parts of a file. A server that does not know ranges is told from one that
// does.
func TestOpenRange(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/plain" {
			_, _ = io.WriteString(w, "0123456789")
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
	}))
	defer srv.Close()
	c, err := fetch.New(fetch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		off, n int64
		want   string
	}{{0, -1, "0123456789"}, {0, 3, "012"}, {4, 2, "45"}, {7, -1, "789"}, {7, 9, "789"}, {10, 1, ""}, {20, 5, ""}, {3, 0, ""}} {
		body, err := c.OpenRange(t.Context(), srv.URL+"/ranges?"+signature, tc.off, tc.n)
		if err != nil {
			t.Fatal(tc, err)
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != tc.want || body.Close() != nil {
			t.Errorf("%+v: %q, %v", tc, got, err)
		}
	}
	if _, err := c.OpenRange(t.Context(), srv.URL+"/plain?"+signature, 2, 3); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("a whole file in place of a part: %v", err)
	}
}
