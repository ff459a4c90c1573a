package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// A worker that Temporal refuses ends the process, so that a new one is started; one that is
// asked to end does without an error.
func TestAwait(t *testing.T) {
	untilEnded := func(ctx context.Context) error { <-ctx.Done(); return nil }
	refused := &workers{failed: make(chan error, 2)}
	refused.failed <- errors.New("namespace not found")
	wantError(t, refused.await(t.Context(), untilEnded), "temporal refuses this worker: namespace not found")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&workers{failed: make(chan error, 2)}).await(ctx, untilEnded); err != nil {
		t.Errorf("asked to end: %v", err)
	}
	another := func(context.Context) error { return errors.New("another cluster") }
	wantError(t, (&workers{failed: make(chan error, 2)}).await(t.Context(), another), "another cluster")
}

// From the moment it is asked to end a worker is not ready, so that nobody counts on it.
func TestReadyUntilStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, want := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		w := httptest.NewRecorder()
		checkReady(w, httptest.NewRequest(http.MethodGet, "/readyz", nil), func(context.Context) error { return stopError(ctx) })
		if w.Code != want {
			t.Errorf("answers %d, want %d: %s", w.Code, want, w.Body)
		}
		cancel()
	}
}

// TestStopsWithinGrace: the time that a chart's pod and a container of Compose are given to end is longer
// than a worker's end takes.
func TestStopsWithinGrace(t *testing.T) {
	var values struct {
		Seconds int64 `json:"terminationGracePeriodSeconds"`
	}
	var compose struct {
		Services map[string]struct {
			Image string
			Grace string `json:"stop_grace_period"`
		}
	}
	for file, into := range map[string]any{"../deploy/helm/lifeboat/values.yaml": &values, "../docker-compose.yml": &compose} {
		text, err := os.ReadFile(file)
		if err == nil {
			err = yaml.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	grace, err := time.ParseDuration(compose.Services["worker"].Grace)
	if err != nil {
		t.Fatal(err)
	}
	for where, grace := range map[string]time.Duration{"the chart": time.Duration(values.Seconds) * time.Second, "Compose": grace} {
		if took := stopTimeout + telemetryTimeout; took >= grace || handoverTime >= stopTimeout {
			t.Errorf("a worker may take %s to end, handed over after %s, and %s gives it %s", took, handoverTime, where, grace)
		}
	}
}
