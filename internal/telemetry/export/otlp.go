package export

import (
	"context"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// metricExporter sends metrics. The exporters read what is not said here from the environment.
func (o Options) metricExporter(ctx context.Context) (sdkmetric.Exporter, error) {
	protocol, err := o.protocol("METRICS")
	switch {
	case err != nil:
		return nil, err
	case protocol == ProtocolHTTP && o.Endpoint == "":
		return otlpmetrichttp.New(ctx)
	case protocol == ProtocolHTTP:
		return otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(o.Endpoint+"/v1/metrics"))
	case o.Endpoint == "":
		return otlpmetricgrpc.New(ctx)
	}
	return otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpointURL(o.Endpoint))
}

// spanExporter sends spans, as metricExporter does metrics.
func (o Options) spanExporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	protocol, err := o.protocol("TRACES")
	switch {
	case err != nil:
		return nil, err
	case protocol == ProtocolHTTP && o.Endpoint == "":
		return otlptracehttp.New(ctx)
	case protocol == ProtocolHTTP:
		return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(o.Endpoint+"/v1/traces"))
	case o.Endpoint == "":
		return otlptracegrpc.New(ctx)
	}
	return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(o.Endpoint))
}
