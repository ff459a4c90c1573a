package interceptor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdkinterceptor "go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
	"github.com/lifeboat-backup/lifeboat/internal/temporal/interceptor"
)

// world runs workflows with everything around them.
type world struct {
	t       *testing.T
	env     *testsuite.TestWorkflowEnvironment
	metrics *sdkmetric.ManualReader
	spans   *tracetest.InMemoryExporter
	log     *bytes.Buffer
	changes int
	orphans []contract.OrphanPlan
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, metrics: sdkmetric.NewManualReader(), spans: tracetest.NewInMemoryExporter(), log: &bytes.Buffer{}}
	logger := slog.New(telemetry.LogHandler{Handler: slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})}).With("cluster", "east")
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.metrics))
	runs, err := interceptor.NewRuns(meters.Meter("test"), logger, interceptor.Listeners{
		Changed: func() { w.changes++ }, Orphans: func(p contract.OrphanPlan) { w.orphans = append(w.orphans, p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	calls, err := telemetry.NewCalls(meters.Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(w.spans), sdktrace.WithIDGenerator(telemetry.IDs{}))
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(interceptor.LogHandler{Handler: logger.Handler()})))
	w.env = suite.NewTestWorkflowEnvironment()
	w.env.SetTestTimeout(time.Minute) // of a machine that has other work
	w.env.SetWorkerOptions(worker.Options{
		BackgroundActivityContext: telemetry.WithCalls(context.Background(), calls),
		Interceptors:              []sdkinterceptor.WorkerInterceptor{interceptor.NewTracing(provider.Tracer("test")), runs},
	})
	return w
}

// run runs a workflow of that name which is one activity.
func run[Out any](w *world, name, activityName string, act func(context.Context) (Out, error)) {
	w.t.Helper()
	w.env.RegisterActivityWithOptions(act, activity.RegisterOptions{Name: activityName})
	w.env.RegisterWorkflowWithOptions(func(ctx workflow.Context) (out Out, err error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1}})
		err = workflow.ExecuteActivity(ctx, activityName).Get(ctx, &out)
		return out, err
	}, workflow.RegisterOptions{Name: name})
	w.env.ExecuteWorkflow(name)
	if !w.env.IsWorkflowCompleted() {
		w.t.Fatal("the workflow has not ended")
	}
}

// count is the value of a counter with exactly those labels, and of all its series without.
func (w *world) count(name string, labels ...string) (n int64) {
	w.t.Helper()
	var data metricdata.ResourceMetrics
	if err := w.metrics.Collect(w.t.Context(), &data); err != nil {
		w.t.Fatal(err)
	}
	for _, m := range data.ScopeMetrics[0].Metrics {
		sum, ok := m.Data.(metricdata.Sum[int64])
		if m.Name != name || !ok {
			continue
		}
		for _, p := range sum.DataPoints {
			var have []string
			for _, kv := range p.Attributes.ToSlice() {
				have = append(have, string(kv.Key)+"="+kv.Value.String())
			}
			if len(labels) == 0 || slices.Equal(have, labels) {
				n += p.Value
			}
		}
	}
	return n
}

// lines are those of the log.
func (w *world) lines() (all []map[string]any) {
	w.t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(w.log.String()), "\n") {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			w.t.Fatalf("%s: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

// TestBackup: a backup is one trace, down to its requests, is counted once by its phase, and
// every line of the log says whose it is.
func TestBackup(t *testing.T) {
	w := newWorld(t)
	w.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "backup:east:nightly-1"})
	run(w, contract.BackupWorkflow, contract.CommitBackup.Name, func(ctx context.Context) (contract.BackupResult, error) {
		reqCtx, call := telemetry.BeginCall(ctx, "s3", "PutObject")
		call.End(reqCtx, 200, telemetry.ResultOK)
		_, call = telemetry.BeginCall(ctx, "s3", "PutObject")
		call.End(ctx, 503, telemetry.ResultThrottled)
		activity.GetLogger(ctx).Info("by the SDK")
		return contract.BackupResult{Phase: "PartiallyFailed", Objects: 12, Bytes: 400, Volumes: 2, Warnings: 1}, nil
	})
	for name, want := range map[string]int64{"lifeboat.run.objects": 12, "lifeboat.run.size": 400, "lifeboat.run.volumes": 2, "lifeboat.run.warnings": 1, "lifeboat.runs": 1, "lifeboat.api.throttled": 1} {
		if got := w.count(name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if w.count("lifeboat.runs", "result=PartiallyFailed", "type=backup") != 1 || w.changes != 1 {
		t.Errorf("%d runs, %d changes", w.count("lifeboat.runs"), w.changes)
	}
	w.checkTrace()
	for _, line := range w.lines() {
		if line["activity"] == nil && line["result"] == nil || strings.HasPrefix(line["msg"].(string), "handleActivityResult") {
			continue // the SDK's test environment's own
		}
		if line["cluster"] != "east" || line["backup"] != "nightly-1" || line["workflow"] != "backup:east:nightly-1" || line["run"] == nil {
			t.Errorf("a line without its run: %v", line)
		}
	}
}

// checkTrace compares the one trace that there is.
func (w *world) checkTrace() {
	w.t.Helper()
	parents := map[string]string{}
	byID := map[string]string{}
	spans := w.spans.GetSpans()
	for _, s := range spans {
		byID[s.SpanContext.SpanID().String()] = s.Name
		if s.SpanContext.TraceID() != spans[0].SpanContext.TraceID() {
			w.t.Errorf("%s is in another trace", s.Name)
		}
	}
	for _, s := range spans {
		parents[s.Name] = byID[s.Parent.SpanID().String()]
	}
	want := map[string]string{
		"RunWorkflow:Backup": "", "StartActivity:CommitBackup": "RunWorkflow:Backup", "RunActivity:CommitBackup": "StartActivity:CommitBackup", "s3 PutObject": "RunActivity:CommitBackup",
	}
	for name, parent := range want {
		if got, ok := parents[name]; !ok || got != parent {
			w.t.Errorf("the parent of %s is %q, want %q", name, got, parent)
		}
	}
}

// TestFailure: a run that failed and one that was cancelled are told apart, and neither spans
// nor our lines quote the error.
func TestFailure(t *testing.T) {
	for result, err := range map[string]error{"Failed": errors.New("token hunter2 is wrong"), "Canceled": temporal.NewCanceledError()} {
		w := newWorld(t)
		run(w, contract.RestoreWorkflow, contract.FinishRestore.Name, func(context.Context) (contract.RestoreResult, error) { return contract.RestoreResult{}, err })
		if w.count("lifeboat.runs", "result="+result, "type=restore") != 1 || w.count("lifeboat.runs") != 1 {
			t.Errorf("%s: %s", result, w.log.String())
		}
		for _, s := range w.spans.GetSpans() {
			if strings.Contains(s.Status.Description, "hunter2") || len(s.Events) > 0 {
				t.Errorf("%s quotes the error: %+v %+v", s.Name, s.Status, s.Events)
			}
		}
	}
}

// TestDrill: a drill that ended without an error is counted by its verdict.
func TestDrill(t *testing.T) {
	for verdict, result := range map[string]string{"passed": "Passed", "failed": "NotPassed"} {
		w := newWorld(t)
		run(w, contract.DrillWorkflow, contract.SignDrill.Name, func(context.Context) (contract.DrillResult, error) {
			return contract.DrillResult{Verdict: verdict, Warnings: []string{"nobody was told"}}, nil
		})
		if w.count("lifeboat.runs", "result="+result, "type=drill") != 1 || w.count("lifeboat.runs") != 1 || w.count("lifeboat.run.warnings") != 1 || w.changes != 1 {
			t.Errorf("%s: %d runs, %d changes", verdict, w.count("lifeboat.runs"), w.changes)
		}
	}
}

// TestDayRuns: of runs that go on for a day it is their pieces that count.
func TestDayRuns(t *testing.T) {
	w := newWorld(t)
	run(w, contract.VerifyBackupsWorkflow, contract.VerifyStoredBackup.Name, func(context.Context) (contract.VerifiedBackup, error) {
		return contract.VerifiedBackup{Outcome: contract.VerificationCorrupt, Bytes: 9}, nil
	})
	if w.count("lifeboat.runs", "result=Corrupt", "type=verification") != 1 || w.count("lifeboat.runs") != 1 || w.count("lifeboat.run.size") != 9 {
		t.Error("the verification is not counted")
	}
	w = newWorld(t)
	run(w, contract.GarbageWorkflow, contract.PlanOrphans.Name, func(context.Context) (contract.OrphanPlan, error) {
		return contract.OrphanPlan{Unread: []string{"west"}}, nil
	})
	if w.count("lifeboat.runs", "result=PartiallyFailed", "type=collection") != 1 || len(w.orphans) != 1 {
		t.Error("the collection is not counted")
	}
}

// TestSameTrace: a run that goes on in another worker goes on in its trace.
func TestSameTrace(t *testing.T) {
	a, b := telemetry.RunSpan("0198b4a2-5d3e-7cc1-8f3a-1f2e3d4c5b6a"), telemetry.RunSpan("0198b4a2-5d3e-7cc1-8f3a-1f2e3d4c5b6a")
	if !a.Equal(b) || !a.IsValid() || a.TraceID() == telemetry.RunSpan("0198b4a2-5d3e-7cc1-8f3a-1f2e3d4c5b6b").TraceID() {
		t.Error(a, b)
	}
}

// TestSpanBudget: an activity of any size makes a bounded number of spans.
func TestSpanBudget(t *testing.T) {
	w := newWorld(t)
	const requests = 2000
	run(w, contract.RestoreWorkflow, contract.ApplyTask.Name, func(ctx context.Context) (contract.ApplyResult, error) {
		for range requests {
			_, call := telemetry.BeginCall(ctx, "kubernetes", "create")
			call.End(ctx, 201, telemetry.ResultOK)
		}
		return contract.ApplyResult{}, nil
	})
	if n := len(w.spans.GetSpans()); n != 503 {
		t.Errorf("%d spans, want 500 and the three of the run", n)
	}
}
