package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	sdkinterceptor "go.temporal.io/sdk/interceptor"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/garbage/orphan"
	"github.com/lifeboat-backup/lifeboat/internal/monitoring"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry/export"
	"github.com/lifeboat-backup/lifeboat/internal/temporal/interceptor"
)

// telemetryTimeout is how long the worker's end waits until what was measured is sent.
const telemetryTimeout = 5 * time.Second

// newLogger makes the worker's log: each line says the cluster, and the run that it is of.
func newLogger(c config.Log, cluster string, out io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // validated by config; info is the default
	}
	o := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewJSONHandler(out, o)
	if c.Format == "text" {
		h = slog.NewTextHandler(out, o)
	}
	return slog.New(telemetry.LogHandler{Handler: h}).With("cluster", cluster)
}

// observer is what the worker's work is seen by.
type observer struct {
	*export.Telemetry
	runs *interceptor.Runs
	// keeper keeps the gauges of the bucket; nil where nobody reads metrics.
	keeper *monitoring.Keeper
	log    *slog.Logger
}

// openTelemetry makes what cfg asks for. The context that it returns has requests measured.
func openTelemetry(ctx context.Context, cfg *config.Config, log *slog.Logger) (context.Context, *export.Telemetry, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	t, err := export.New(ctx, export.Options{
		Cluster: cfg.Cluster, Version: version, Instance: host, Prometheus: cfg.Metrics.Listen != config.Off,
		Endpoint: cfg.Telemetry.Endpoint, Protocol: cfg.Telemetry.Protocol, Traces: !cfg.Telemetry.NoTraces, Metrics: !cfg.Telemetry.NoMetrics,
		SampleRatio: cfg.Telemetry.SampleRatio, Getenv: os.Getenv,
	})
	if err != nil || !t.Enabled {
		return ctx, t, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("metrics or traces were not sent", "cause", err) }))
	calls, err := telemetry.NewCalls(t.Meter)
	if err != nil {
		return ctx, t, err
	}
	return telemetry.WithCalls(ctx, calls), t, showBuild(t.Meter)
}

// showBuild shows the version.
func showBuild(m metric.Meter) error {
	_, err := m.Int64ObservableGauge("lifeboat.build.info", metric.WithDescription("Always 1; the label is the worker's version."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(1, metric.WithAttributes(attribute.String("version", version)))
			return nil
		}))
	return err
}

// newObserver makes what sees runs and the bucket.
func newObserver(cfg *config.Config, t *export.Telemetry, locations *repository.Locations, schedules keptSchedules, orphans *orphan.Collector, log *slog.Logger) (*observer, error) {
	o := &observer{Telemetry: t, log: log}
	var listeners interceptor.Listeners
	if t.Enabled {
		reader := &monitoring.Reader{
			Cluster: cfg.Cluster, Locations: locations, Schedules: schedules.backups.Measures, DrillSchedules: schedules.drills.Measures,
			Orphans: func(ctx context.Context) (contract.OrphanPlan, error) {
				return orphans.Plan(ctx, contract.PlanOrphansInput{Now: time.Now(), DryRun: true})
			},
			Expired: func(ctx context.Context) (contract.GarbagePlan, error) {
				return garbageRunner(orphans).Plan(ctx, contract.PlanGarbageInput{Now: time.Now(), DryRun: true})
			},
		}
		var err error
		if o.keeper, err = monitoring.NewKeeper(reader, t.Meter, log); err != nil {
			return nil, err
		}
		listeners = interceptor.Listeners{Changed: o.keeper.Changed, Orphans: o.keeper.SetOrphans}
	}
	var err error
	o.runs, err = interceptor.NewRuns(t.Meter, log, listeners)
	return o, err
}

// interceptors stand around runs and activities, the outermost first.
func (o *observer) interceptors() []sdkinterceptor.WorkerInterceptor {
	all := []sdkinterceptor.WorkerInterceptor{o.runs}
	if o.Tracer != nil {
		all = append([]sdkinterceptor.WorkerInterceptor{interceptor.NewTracing(o.Tracer)}, all...)
	}
	return all
}

// ready is nil once the gauges are as the bucket is.
func (o *observer) ready() error {
	if o.keeper == nil {
		return nil
	}
	return o.keeper.Ready()
}

// watch keeps the gauges until the end of ctx.
func (o *observer) watch(ctx context.Context) {
	if o.keeper != nil {
		o.keeper.Run(ctx)
	}
}

// closeTelemetry sends what has not been sent yet.
func closeTelemetry(t *export.Telemetry, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), telemetryTimeout)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.Warn("metrics or traces were not sent", "cause", err)
	}
}

// temporalMetrics gives the Temporal SDK's own metrics a place, if there is one.
func temporalMetrics(t *export.Telemetry) client.MetricsHandler {
	if !t.Enabled {
		return nil
	}
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: t.TemporalMeter})
}
