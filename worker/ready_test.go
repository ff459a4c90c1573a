package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The probe says what the worker says, and tells a worker that is not there from one that waits.
func TestAskReady(t *testing.T) {
	answer := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		if answer != http.StatusOK {
			http.Error(w, "temporal: no answer", answer)
		}
	}))
	address := strings.TrimPrefix(s.URL, "http://")
	_, port, _ := strings.Cut(address, ":")
	for _, listen := range []string{address, "localhost:" + port} {
		if err := askReady(t.Context(), listen); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
	answer = http.StatusServiceUnavailable
	wantError(t, askReady(t.Context(), address), "the worker is not ready: temporal: no answer")
	s.Close()
	wantError(t, askReady(t.Context(), address), "the worker does not answer")
	wantError(t, askReady(t.Context(), "off"), "health.listen is off")
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %q", err, text)
	}
}
