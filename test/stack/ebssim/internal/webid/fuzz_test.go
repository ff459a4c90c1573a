package webid_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/webid"
)

// FuzzVerify: no text that was not signed is a token.
func FuzzVerify(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIiwia2lkIjoiayJ9.eyJpc3MiOiJ4In0.")
	f.Add("a.b.c")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"keys": [{"kid": "k", "kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kid": "", "kty": "EC", "crv": "P-256"}]}`))
	}))
	f.Cleanup(server.Close)
	issuer, err := webid.NewIssuer("x", server.URL, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if claims, err := issuer.Verify(t.Context(), token, time.Unix(0, 0)); err == nil {
			t.Fatalf("accepted: %+v", claims)
		}
	})
}

// Keys are fetched again when a token names a new one.
func TestKeysRotate(t *testing.T) {
	fetched := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched++
		w.Write([]byte(`{"keys": []}`))
	}))
	defer server.Close()
	issuer, err := webid.NewIssuer("x", server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	token := "eyJhbGciOiJSUzI1NiIsImtpZCI6Im5ldyJ9.eyJpc3MiOiJ4In0.AA"
	for range 2 {
		if _, err := issuer.Verify(t.Context(), token, time.Now()); err == nil {
			t.Fatal("a token of an unknown key was accepted")
		}
	}
	if fetched != 2 {
		t.Fatalf("fetched %d times", fetched)
	}
}
