// Package export is where the worker's metrics and traces go: a registry that a Prometheus
// scrapes, and an OpenTelemetry collector, by OTLP.
//
// What Options leave open comes from OpenTelemetry's own variables: OTEL_EXPORTER_OTLP_* (with
// headers and certificates, which the configuration has no fields for, since they are
// secrets), OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER, OTEL_TRACES_SAMPLER,
// OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, OTEL_SDK_DISABLED.
package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
)

// Options say what is sent where.
type Options struct {
	Cluster, Version, Instance string
	// Prometheus fills the registry.
	Prometheus bool
	// Endpoint is the URL of an OTLP receiver, and Protocol how it is spoken to. Empty means as
	// the environment says: nothing is sent where that names no endpoint either.
	Endpoint, Protocol string
	// Traces and Metrics say which of them are sent there.
	Traces, Metrics bool
	// SampleRatio is the share of traces that is recorded, from 0 to 1; 0 means as the
	// environment says, and all by default.
	SampleRatio float64
	// Getenv is the environment.
	Getenv func(string) string
}

// Telemetry is what the worker measures with. Close it.
type Telemetry struct {
	// Meter makes Lifeboat's instruments, and TemporalMeter those of the SDK.
	Meter, TemporalMeter metric.Meter
	// Tracer makes the spans of runs; nil where nobody wants traces.
	Tracer trace.Tracer
	// Registry is what Prometheus reads; empty without Options.Prometheus.
	Registry *prometheus.Registry
	// Enabled tells that somebody reads metrics.
	Enabled bool

	closers []func(context.Context) error
}

// Protocols of OTLP, in OpenTelemetry's words.
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http/protobuf"
)

const (
	none        = "none"
	clusterAttr = "cluster"
)

// New makes what o asks for. It connects to nothing yet.
func New(ctx context.Context, o Options) (*Telemetry, error) {
	t := &Telemetry{Registry: prometheus.NewRegistry(), Meter: noop.NewMeterProvider().Meter(telemetry.Scope), TemporalMeter: noop.NewMeterProvider().Meter("temporal")}
	if o.Getenv("OTEL_SDK_DISABLED") == "true" {
		o.Traces, o.Metrics = false, false
	}
	about, err := describe(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(t.openMetrics(ctx, o, about), t.openTraces(ctx, o, about)); err != nil {
		return nil, errors.Join(fmt.Errorf("telemetry: %w", err), t.Close(ctx))
	}
	return t, nil
}

// Close sends what has not been sent, as far as ctx lets it.
func (t *Telemetry) Close(ctx context.Context) error {
	var errs []error
	for _, end := range t.closers {
		errs = append(errs, end(ctx))
	}
	return errors.Join(errs...)
}

// describe says whose telemetry it is. The environment may say more, and the name otherwise.
func describe(ctx context.Context, o Options) (*resource.Resource, error) {
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "lifeboat-worker"), attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Instance),
		attribute.String("k8s.cluster.name", o.Cluster), attribute.String(clusterAttr, o.Cluster),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("telemetry: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return about, nil
}

// wants tells whether a signal is sent by OTLP.
func (o Options) wants(signal string, asked bool) bool {
	named := cmp.Or(o.Endpoint, o.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), o.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT"))
	return asked && named != "" && o.Getenv("OTEL_"+signal+"_EXPORTER") != none
}

func (o Options) protocol(signal string) (string, error) {
	p := cmp.Or(o.Protocol, o.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_PROTOCOL"), o.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), ProtocolGRPC)
	if p != ProtocolGRPC && p != ProtocolHTTP {
		return "", fmt.Errorf("protocol of OTLP: %q is neither %s nor %s", p, ProtocolGRPC, ProtocolHTTP)
	}
	return p, nil
}

func (t *Telemetry) openMetrics(ctx context.Context, o Options, about *resource.Resource) error {
	var readers []sdkmetric.Option
	if o.Prometheus {
		reader, err := otelprom.New(otelprom.WithRegisterer(t.Registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo(),
			otelprom.WithResourceAsConstantLabels(attribute.NewAllowKeysFilter(clusterAttr)))
		if err != nil {
			return err
		}
		t.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		readers = append(readers, sdkmetric.WithReader(reader))
	}
	if o.wants("METRICS", o.Metrics) {
		exporter, err := o.metricExporter(ctx)
		if err != nil {
			return err
		}
		readers = append(readers, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	if t.Enabled = len(readers) > 0; !t.Enabled {
		return nil
	}
	p := sdkmetric.NewMeterProvider(append(readers, sdkmetric.WithResource(about))...)
	t.Meter, t.TemporalMeter = p.Meter(telemetry.Scope), p.Meter("temporal")
	t.closers = append(t.closers, p.Shutdown)
	return nil
}

func (t *Telemetry) openTraces(ctx context.Context, o Options, about *resource.Resource) error {
	if !o.wants("TRACES", o.Traces) {
		return nil
	}
	exporter, err := o.spanExporter(ctx)
	if err != nil {
		return err
	}
	settings := []sdktrace.TracerProviderOption{sdktrace.WithBatcher(exporter), sdktrace.WithResource(about), sdktrace.WithIDGenerator(telemetry.IDs{})}
	if o.SampleRatio > 0 {
		settings = append(settings, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(o.SampleRatio))))
	}
	p := sdktrace.NewTracerProvider(settings...)
	t.Tracer = p.Tracer(telemetry.Scope)
	t.closers = append(t.closers, p.Shutdown)
	return nil
}
