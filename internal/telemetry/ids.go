package telemetry

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

// RunSpan is the root span of a workflow's run. Its ids are made of the run's id, so that every
// worker that goes on with the run, also after the one that began it is gone, adds to the same
// trace. The run's id itself would not do: half of its bits are time, and a sampler decides by
// the bits of the trace's.
func RunSpan(runID string) trace.SpanContext {
	sum := sha256.Sum256([]byte("lifeboat run " + runID))
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(sum[:16]), SpanID: trace.SpanID(sum[16:24]), TraceFlags: trace.FlagsSampled, Remote: true,
	})
}

type rootKey struct{}

// WithRoot has the next root span of a context get the ids of sc.
func WithRoot(ctx context.Context, sc trace.SpanContext) context.Context {
	return context.WithValue(ctx, rootKey{}, sc)
}

// IDs makes the ids of spans: at random, apart from the roots that WithRoot asks for.
type IDs struct{}

// NewIDs implements the SDK's IDGenerator.
func (IDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if sc, ok := ctx.Value(rootKey{}).(trace.SpanContext); ok {
		return sc.TraceID(), sc.SpanID()
	}
	var id trace.TraceID
	for !id.IsValid() {
		fill(id[:])
	}
	return id, IDs{}.NewSpanID(ctx, id)
}

// NewSpanID implements the SDK's IDGenerator.
func (IDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	var id trace.SpanID
	for !id.IsValid() {
		fill(id[:])
	}
	return id
}

// fill fills b with bits that need not be secret, only different.
func fill(b []byte) {
	for i := range b {
		b[i] = byte(rand.Uint32()) //nolint:gosec // ids of spans need no secrecy
	}
}
