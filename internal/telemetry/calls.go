package telemetry

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Scope names Lifeboat's own instruments and spans.
const Scope = "github.com/lifeboat-backup/lifeboat"

// Results of a request. They are values of a metric's label.
const (
	ResultOK        = "ok"
	ResultThrottled = "throttled" // the service wants less
	ResultRefused   = "refused"   // answered with an error
	ResultLost      = "lost"      // not answered
)

// Calls measures requests to S3, EC2, STS and the API server. Its labels are the service, the
// operation and the result: no bucket, key, object or identity is in them.
type Calls struct {
	duration  metric.Float64Histogram
	throttled metric.Int64Counter
}

// NewCalls makes the instruments.
func NewCalls(m metric.Meter) (*Calls, error) {
	duration, err := m.Float64Histogram("lifeboat.api.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from sending a request to the head of its answer, by service, operation and result; each attempt counts."),
		metric.WithExplicitBucketBoundaries(.005, .025, .1, .25, 1, 2.5, 10, 60))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	throttled, err := m.Int64Counter("lifeboat.api.throttled", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that a service answered by asking for less."))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return &Calls{duration: duration, throttled: throttled}, nil
}

type callsKey struct{}

// WithCalls has the requests of a context measured.
func WithCalls(ctx context.Context, c *Calls) context.Context {
	return context.WithValue(ctx, callsKey{}, c)
}

// spansPerActivity bounds how many requests of one attempt of an activity become spans: a
// restore of a large cluster makes hundreds of thousands. All of them are in the metrics.
const spansPerActivity = 500

type budgetKey struct{}

// WithSpanBudget bounds the spans of the requests that are made with a context.
func WithSpanBudget(ctx context.Context) context.Context {
	left := new(atomic.Int64)
	left.Store(spansPerActivity)
	return context.WithValue(ctx, budgetKey{}, left)
}

// Call is one request on its way. The nil Call is one that nobody measures.
type Call struct {
	calls              *Calls
	service, operation string
	began              time.Time
	span               trace.Span // nil for none
}

// BeginCall begins to measure a request. Its span is a child of the context's, by the provider
// of that one; a context without any has none.
func BeginCall(ctx context.Context, service, operation string) (context.Context, *Call) {
	calls, _ := ctx.Value(callsKey{}).(*Calls)
	parent := trace.SpanFromContext(ctx)
	traced := parent.IsRecording() && withinBudget(ctx)
	if calls == nil && !traced {
		return ctx, nil
	}
	c := &Call{calls: calls, service: service, operation: operation, began: time.Now()}
	if traced {
		ctx, c.span = parent.TracerProvider().Tracer(Scope).Start(ctx, service+" "+operation, trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(attribute.String("rpc.service", service), attribute.String("rpc.method", operation)))
	}
	return ctx, c
}

func withinBudget(ctx context.Context) bool {
	left, ok := ctx.Value(budgetKey{}).(*atomic.Int64)
	return !ok || left.Add(-1) >= 0
}

// End says what became of the request. status is that of HTTP, 0 where there was no answer.
// An error's text is not recorded: it may quote what was sent.
func (c *Call) End(ctx context.Context, status int, result string) {
	if c == nil {
		return
	}
	if c.calls != nil {
		labels := metric.WithAttributes(attribute.String("service", c.service), attribute.String("operation", c.operation), attribute.String("result", result))
		c.calls.duration.Record(ctx, time.Since(c.began).Seconds(), labels)
		if result == ResultThrottled {
			c.calls.throttled.Add(ctx, 1, metric.WithAttributes(attribute.String("service", c.service), attribute.String("operation", c.operation)))
		}
	}
	if c.span == nil {
		return
	}
	if status != 0 {
		c.span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if result != ResultOK {
		c.span.SetStatus(codes.Error, result)
	}
	c.span.End()
}
