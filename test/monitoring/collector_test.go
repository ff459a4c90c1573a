//go:build stack

package monitoring_test

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// collector is an OpenTelemetry Collector that keeps what it receives.
type collector struct {
	endpoint string
	running  *otelcol.Collector
	ended    chan error

	mu    sync.Mutex
	spans []span
	names map[string]bool // of metrics
	all   []byte          // everything, as JSON
}

type span struct{ name, trace, id, parent, workflow string }

// startCollector runs a Collector whose OTLP receiver listens on an address.
func startCollector(address string) *collector {
	c := &collector{endpoint: "http://" + address, names: map[string]bool{}, ended: make(chan error, 1)}
	config := fmt.Sprintf(`yaml:
receivers: {otlp: {protocols: {grpc: {endpoint: %q}}}}
exporters: {memory: {}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [memory]}, metrics: {receivers: [otlp], exporters: [memory]}}
`, address)
	var err error
	c.running, err = otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "otelcol"}, Factories: c.factories, DisableGracefulShutdown: true,
		LoggingOptions: []zap.Option{zap.IncreaseLevel(zapcore.ErrorLevel)},
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: []string{config}, ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()},
		}},
	})
	if err != nil {
		c.ended <- err
		return c
	}
	go func() { c.ended <- c.running.Run(context.Background()) }()
	return c
}

func (c *collector) factories() (f otelcol.Factories, err error) {
	f.Telemetry = otelconftelemetry.NewFactory()
	if f.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory()); err != nil {
		return f, err
	}
	f.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](exporter.NewFactory(component.MustNewType("memory"), func() component.Config { return &struct{}{} },
		exporter.WithTraces(func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
			return exporterhelper.NewTraces(ctx, set, cfg, c.keepTraces)
		}, component.StabilityLevelStable),
		exporter.WithMetrics(func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			return exporterhelper.NewMetrics(ctx, set, cfg, c.keepMetrics)
		}, component.StabilityLevelStable)))
	return f, err
}

func (c *collector) keepTraces(_ context.Context, data ptrace.Traces) error {
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(data)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, text...)
	for _, r := range data.ResourceSpans().All() {
		for _, scope := range r.ScopeSpans().All() {
			for _, one := range scope.Spans().All() {
				s := span{name: one.Name(), trace: one.TraceID().String(), id: one.SpanID().String(), parent: one.ParentSpanID().String()}
				if workflow, ok := one.Attributes().Get("temporalWorkflowID"); ok {
					s.workflow = workflow.AsString()
				}
				c.spans = append(c.spans, s)
			}
		}
	}
	return err
}

func (c *collector) keepMetrics(_ context.Context, data pmetric.Metrics) error {
	text, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(data)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, text...)
	for _, r := range data.ResourceMetrics().All() {
		for _, s := range r.ScopeMetrics().All() {
			for _, m := range s.Metrics().All() {
				c.names[m.Name()] = true
			}
		}
	}
	return err
}

// seen is what has been received up to now.
func (c *collector) seen() (spans []span, names map[string]bool, all string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	names = map[string]bool{}
	for name := range c.names {
		names[name] = true
	}
	return append([]span(nil), c.spans...), names, string(c.all)
}
