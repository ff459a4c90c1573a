package export_test

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/telemetry/export"
)

// TestWhatIsOn: without an endpoint nothing is sent, with one what the configuration and
// OpenTelemetry's variables leave on is.
func TestWhatIsOn(t *testing.T) {
	both := export.Options{Traces: true, Metrics: true}
	for name, tt := range map[string]struct {
		o               export.Options
		env             map[string]string
		traces, metrics bool
		err             string
	}{
		"nothing":          {o: both},
		"scraped":          {o: export.Options{Prometheus: true}, metrics: true},
		"endpoint":         {o: export.Options{Endpoint: "http://127.0.0.1:1", Traces: true, Metrics: true}, traces: true, metrics: true},
		"by http":          {o: export.Options{Endpoint: "http://127.0.0.1:1", Protocol: export.ProtocolHTTP, Traces: true, Metrics: true}, traces: true, metrics: true},
		"traces only":      {o: export.Options{Endpoint: "http://127.0.0.1:1", Traces: true}, traces: true},
		"by environment":   {o: both, env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, traces: true, metrics: true},
		"one signal":       {o: both, env: map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"}, metrics: true},
		"no exporter":      {o: both, env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_METRICS_EXPORTER": "none"}, traces: true},
		"disabled":         {o: both, env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}},
		"unknown protocol": {o: both, env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, err: `"http/json" is neither`},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range tt.env {
				t.Setenv(key, value) // the exporters read it too
			}
			tt.o.Cluster, tt.o.Getenv = "east", func(key string) string { return tt.env[key] }
			got, err := export.New(t.Context(), tt.o)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if (got.Tracer != nil) != tt.traces || got.Enabled != tt.metrics {
				t.Errorf("traces %t, metrics %t", got.Tracer != nil, got.Enabled)
			}
		})
	}
}
