package interceptor_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.temporal.io/sdk/client"
	sdkinterceptor "go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
	"github.com/lifeboat-backup/lifeboat/internal/temporal/interceptor"
	"github.com/lifeboat-backup/lifeboat/workflows"
)

// TestReplay: histories that were recorded without anything around them replay with it, and
// nothing of them is counted, told or traced a second time.
func TestReplay(t *testing.T) {
	paths, err := filepath.Glob("../../../workflows/testdata/histories/*/*.json.gz")
	if err != nil || len(paths) == 0 {
		t.Fatal("no histories", err)
	}
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	w := &world{t: t, metrics: reader}
	runs, err := interceptor.NewRuns(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"), slog.New(slog.DiscardHandler), interceptor.Listeners{})
	if err != nil {
		t.Fatal(err)
	}
	tracing := interceptor.NewTracing(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithIDGenerator(telemetry.IDs{})).Tracer("test"))
	for _, path := range paths {
		r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: []sdkinterceptor.WorkerInterceptor{tracing, runs}})
		if err != nil {
			t.Fatal(err)
		}
		workflows.Register(r, nil)
		if err := replayFile(r, path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if n := w.count("lifeboat.runs"); n != 0 || len(spans.GetSpans()) != 0 {
		t.Errorf("%d runs are counted again, %d spans are made again: %+v", n, len(spans.GetSpans()), spans.GetSpans())
	}
}

func replayFile(r worker.WorkflowReplayer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	hist, err := client.HistoryFromJSON(zr, client.HistoryJSONOptions{})
	if err != nil {
		return err
	}
	started := hist.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	return r.ReplayWorkflowHistoryWithOptions(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), hist, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
	})
}
