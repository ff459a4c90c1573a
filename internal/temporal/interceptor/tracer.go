package interceptor

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
)

// Names that the SDK gives to operations, to tags, and to the header in which a run tells its
// activities and children of its span.
const (
	runWorkflow = "RunWorkflow"
	runIDTag    = "temporalRunID"
	headerKey   = "_tracer-data"
)

// tracer makes the SDK's spans in OpenTelemetry. The SDK's own one for that makes ids at random:
// a run that another worker goes on with would have its spans in two traces.
type tracer struct {
	interceptor.BaseTracer
	spans trace.Tracer
}

// NewTracing makes one trace of each run: the workflow, its activities, and the requests that
// these make. A child has its own trace, which links to its parent's.
func NewTracing(spans trace.Tracer) interceptor.WorkerInterceptor {
	return interceptor.NewTracingInterceptor(&tracer{spans: spans})
}

type spanKey struct{}

// Options implements interceptor.Tracer. Queries and updates are reads of people who wait.
func (t *tracer) Options() interceptor.TracerOptions {
	return interceptor.TracerOptions{SpanContextKey: spanKey{}, HeaderKey: headerKey, DisableQueryTracing: true, DisableUpdateTracing: true, AllowInvalidParentSpans: true}
}

// reference is a span of another process.
type reference struct{ trace.SpanContext }

// span is one of ours. That of a run ends when the run is over, and not when a worker forgets
// the run, or plays its history again for somebody who asks.
type span struct {
	trace.Span
	ofRun, over bool
}

// UnmarshalSpan implements interceptor.Tracer.
func (t *tracer) UnmarshalSpan(m map[string]string) (interceptor.TracerSpanRef, error) {
	sc := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier(m)))
	if !sc.IsValid() {
		return nil, nil //nolint:nilnil // a header without a span is none
	}
	return reference{sc}, nil
}

// MarshalSpan implements interceptor.Tracer.
func (t *tracer) MarshalSpan(s interceptor.TracerSpan) (map[string]string, error) {
	m := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), contextOf(s)), m)
	return m, nil
}

// SpanFromContext implements interceptor.Tracer.
func (t *tracer) SpanFromContext(ctx context.Context) interceptor.TracerSpan {
	if s := trace.SpanFromContext(ctx); s.SpanContext().IsValid() {
		return &span{Span: s}
	}
	return nil
}

// ContextWithSpan implements interceptor.Tracer.
func (t *tracer) ContextWithSpan(ctx context.Context, s interceptor.TracerSpan) context.Context {
	if s, ok := s.(*span); ok {
		return trace.ContextWithSpan(ctx, s.Span)
	}
	return ctx
}

// StartSpan implements interceptor.Tracer.
func (t *tracer) StartSpan(o *interceptor.TracerStartSpanOptions) (interceptor.TracerSpan, error) {
	parent := contextOf(o.Parent)
	options := []trace.SpanStartOption{trace.WithTimestamp(o.Time), trace.WithSpanKind(kindOf(o)), trace.WithAttributes(attributesOf(o.Tags)...)}
	ctx := context.Background()
	switch run := o.Tags[runIDTag]; {
	case o.Operation == runWorkflow:
		ctx = telemetry.WithRoot(ctx, telemetry.RunSpan(run))
		options = append(options, trace.WithNewRoot())
		if parent.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: parent}))
		}
	case !parent.IsValid() && run != "": // scheduled by a worker that made no spans
		ctx = trace.ContextWithRemoteSpanContext(ctx, telemetry.RunSpan(run))
	default:
		ctx = trace.ContextWithSpanContext(ctx, parent)
	}
	_, s := t.spans.Start(ctx, o.Operation+":"+o.Name, options...)
	return &span{Span: s, ofRun: o.Operation == runWorkflow}, nil
}

func contextOf(ref interceptor.TracerSpanRef) trace.SpanContext {
	switch s := ref.(type) {
	case *span:
		return s.SpanContext()
	case reference:
		return s.SpanContext
	}
	return trace.SpanContext{}
}

func kindOf(o *interceptor.TracerStartSpanOptions) trace.SpanKind {
	if o.ToHeader {
		return trace.SpanKindClient
	}
	return trace.SpanKindServer
}

func attributesOf(tags map[string]string) (all []attribute.KeyValue) {
	for key, value := range tags {
		all = append(all, attribute.String(key, value))
	}
	return all
}

// GetLogger implements interceptor.Tracer.
func (t *tracer) GetLogger(l log.Logger, ref interceptor.TracerSpanRef) log.Logger {
	if sc := contextOf(ref); sc.IsSampled() {
		return log.With(l, "trace", sc.TraceID().String())
	}
	return l
}

// Finish implements interceptor.TracerSpan. What went wrong stands in the run's history; a
// span says that something did.
func (s *span) Finish(o *interceptor.TracerFinishSpanOptions) {
	if s.ofRun && !s.over {
		return
	}
	if o.Error != nil && !workflow.IsContinueAsNewError(o.Error) {
		s.SetStatus(codes.Error, resultOf(o.Error))
	}
	s.End()
}

// endSpan has the span of a run end.
func endSpan(ctx workflow.Context) {
	if s, ok := ctx.Value(spanKey{}).(*span); ok {
		s.over = true
	}
}
