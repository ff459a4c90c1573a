package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/workflows"
)

const (
	cluster = "prod"
	runUID  = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
)

func startTime() time.Time { return time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC) }

// fault is how the first call of an activity may go wrong.
type fault string

const (
	noFault    fault = "succeeds"
	retried    fault = "fails once" // as when the store or the API server is away
	lostWorker fault = "loses its worker"
	final      fault = "fails for good"
	refused    fault = "finds the input invalid"
	givenUp    fault = "times out" // after retries for as long as schedule-to-close allows
	unmended   fault = "fails every time"
	cancelled  fault = "is cancelled"
)

// failure is the error of one attempt.
func (f fault) failure(name string, attempt int) error {
	away := temporal.NewApplicationError(name+": connection refused", "Unavailable")
	switch {
	case f == unmended:
		return away
	case attempt > 1:
		return nil
	case f == retried:
		return away
	case f == lostWorker:
		return temporal.NewHeartbeatTimeoutError()
	case f == final:
		return temporal.NewNonRetryableApplicationError(name+": forbidden", contract.ErrTypeDenied, nil)
	case f == refused:
		return temporal.NewNonRetryableApplicationError(name+": spec.ttl: negative", contract.ErrTypeInvalid, nil)
	case f == givenUp:
		return temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, away)
	default:
		return nil
	}
}

// step is an activity that a workflow has asked for, and with what.
type step struct {
	Name string
	In   any
}

// call is a step with all that is known of it.
type call struct {
	step
	Options  workflow.ActivityOptions
	Progress contract.Progress // the answer of the query when it began
	Began    time.Time
	Ended    time.Time // of a slow one
}

// stage runs one workflow on the clock of the test suite, with scripted activities, and
// keeps what the workflow asks of Temporal.
type stage struct {
	t     *testing.T
	env   *testsuite.TestWorkflowEnvironment
	start func() // the workflow, with its input

	faults map[string]fault
	// lasts makes an activity slow: how long its nth call takes, from 0.
	lasts map[string]func(n int) time.Duration
	// stops is how a slow activity answers to a cancel, after stopTime.
	stops        func(c *call) (any, error)
	cancelAtWait bool
	missing      []string // search attributes that Temporal lacks

	decode map[string]func(workflow.Context, workflow.Future) (any, error)
	calls  []*call
	child  []workflow.ChildWorkflowOptions // of the workflows that were asked for
	phases []string                        // the values of the search attribute, in order
	search temporal.SearchAttributes
	waits  []time.Duration // the timers of the workflow

	mu       sync.Mutex
	attempts map[string]int
}

// stopTime is how long slow activities take to stop.
const stopTime = 20 * time.Second

func newStage(t *testing.T, id string) *stage {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	s := &stage{
		t: t, env: suite.NewTestWorkflowEnvironment(),
		faults: map[string]fault{}, lasts: map[string]func(int) time.Duration{}, attempts: map[string]int{},
		decode: map[string]func(workflow.Context, workflow.Future) (any, error){},
	}
	s.env.SetTestTimeout(time.Minute) // a busy machine is no failure
	s.env.SetStartTime(startTime())
	s.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: contract.TaskQueue(cluster)})
	s.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&recorder{stage: s}}})
	workflows.Register(s.env, func() []string { return s.missing })
	return s
}

// answer scripts an activity.
func answer[In, Out any](s *stage, a contract.Activity[In, Out], result func(in In) Out) {
	s.env.RegisterActivityWithOptions(func(_ context.Context, in In) (Out, error) {
		var none Out
		if err := s.failure(a.Name); err != nil {
			return none, err
		}
		return result(in), nil
	}, activity.RegisterOptions{Name: a.Name})
	s.decode[a.Name] = func(ctx workflow.Context, f workflow.Future) (any, error) {
		var out Out
		err := f.Get(ctx, &out)
		return out, err
	}
}

func always[In, Out any](out Out) func(In) Out { return func(In) Out { return out } }

// after answers with each of results in turn, then with the last one for ever.
func after[In, Out any](results ...Out) func(In) Out {
	var mu sync.Mutex
	return func(In) Out {
		mu.Lock()
		defer mu.Unlock()
		out := results[0]
		if len(results) > 1 {
			results = results[1:]
		}
		return out
	}
}

func (s *stage) failure(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts[name]++
	return s.faults[name].failure(name, s.attempts[name])
}

func (s *stage) attemptsOf(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts[name]
}

// run runs the workflow to its end.
func (s *stage) run() error {
	s.t.Helper()
	s.start()
	if !s.env.IsWorkflowCompleted() {
		s.t.Fatal("the workflow has not ended")
	}
	return s.env.GetWorkflowError()
}

func (s *stage) steps() []step {
	var all []step
	for _, c := range s.calls {
		all = append(all, c.step)
	}
	return all
}

func (s *stage) callsOf(name string) []*call {
	return slices.DeleteFunc(slices.Clone(s.calls), func(c *call) bool { return c.Name != name })
}

func (s *stage) progress() contract.Progress {
	s.t.Helper()
	value, err := s.env.QueryWorkflow(contract.ProgressQuery)
	if err != nil {
		s.t.Fatal(err)
	}
	var p contract.Progress
	if err := value.Get(&p); err != nil {
		s.t.Fatal(err)
	}
	return p
}

func resultOf[T any](s *stage) T {
	s.t.Helper()
	var res T
	if err := s.env.GetWorkflowResult(&res); err != nil {
		s.t.Fatal(err)
	}
	return res
}

// names are the activities of steps.
func names(steps []step) []string {
	var all []string
	for _, s := range steps {
		all = append(all, s.Name)
	}
	return all
}

// errorType is the type of the error that Temporal shows for a run: that of the
// outermost application error, or what stopped the activity. It is "" for none.
func errorType(err error) string {
	var run *temporal.WorkflowExecutionError
	if errors.As(err, &run) {
		err = run.Unwrap()
	}
	var act *temporal.ActivityError
	if errors.As(err, &act) && err == error(act) {
		err = act.Unwrap()
	}
	switch e := err.(type) {
	case nil:
		return ""
	case *temporal.ApplicationError:
		return e.Type()
	case *temporal.TimeoutError:
		return e.TimeoutType().String()
	case *temporal.CanceledError:
		return "Canceled"
	case *workflow.ContinueAsNewError:
		return "ContinueAsNew"
	default:
		return e.Error()
	}
}

// recorder stands between the workflow and Temporal.
type recorder struct {
	interceptor.WorkerInterceptorBase
	stage *stage
}

func (r *recorder) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &inbound{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, stage: r.stage}
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	stage *stage
}

func (i *inbound) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&outbound{WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: out}, stage: i.stage})
}

type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	stage *stage
}

// GetInfo adds the run id that the test suite leaves empty.
func (o *outbound) GetInfo(ctx workflow.Context) *workflow.Info {
	info := *o.Next.GetInfo(ctx)
	info.OriginalRunID = runUID
	return &info
}

func (o *outbound) UpsertTypedSearchAttributes(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) error {
	attributes := temporal.NewSearchAttributes(updates...)
	if phase, ok := attributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(contract.SearchPhase)); ok {
		o.stage.phases = append(o.stage.phases, phase)
	}
	o.stage.search = temporal.NewSearchAttributes(o.stage.search.Copy(), attributes.Copy())
	return o.Next.UpsertTypedSearchAttributes(ctx, updates...)
}

func (o *outbound) Sleep(ctx workflow.Context, d time.Duration) error {
	if ctx.Err() == nil {
		o.stage.waits = append(o.stage.waits, d)
		if o.stage.cancelAtWait {
			o.stage.env.CancelWorkflow()
		}
	}
	return o.Next.Sleep(ctx, d)
}

// ExecuteChildWorkflow keeps with what options it is asked for.
func (o *outbound) ExecuteChildWorkflow(ctx workflow.Context, name string, args ...any) workflow.ChildWorkflowFuture {
	o.stage.child = append(o.stage.child, workflow.GetChildWorkflowOptions(ctx))
	return o.Next.ExecuteChildWorkflow(ctx, name, args...)
}

// ExecuteActivity keeps what is asked for. What is asked for on a context that is
// cancelled already never reaches a worker.
func (o *outbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	s := o.stage
	if ctx.Err() != nil {
		return o.Next.ExecuteActivity(ctx, name, args...)
	}
	n := len(s.callsOf(name))
	c := &call{step: step{name, args[0]}, Options: workflow.GetActivityOptions(ctx), Began: workflow.Now(ctx)}
	if o.GetInfo(ctx).WorkflowType.Name != contract.CatalogWorkflow {
		c.Progress = s.progress()
	}
	s.calls = append(s.calls, c)
	if s.faults[name] == cancelled && n == 0 {
		s.env.CancelWorkflow()
	}
	if lasts := s.lasts[name]; lasts != nil && lasts(n) > 0 {
		return o.executeSlowly(ctx, c, lasts(n))
	}
	return o.Next.ExecuteActivity(ctx, name, args...)
}

// executeSlowly runs an activity that takes its time, on the workflow's clock. The test
// suite ends a cancelled activity at once; this one does as workers do and takes stopTime,
// if the workflow waits for it.
func (o *outbound) executeSlowly(ctx workflow.Context, c *call, d time.Duration) workflow.Future {
	f, end := workflow.NewFuture(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		var out any
		err := o.Next.Sleep(ctx, d)
		switch {
		case err == nil:
			out, err = o.stage.decode[c.Name](ctx, o.Next.ExecuteActivity(ctx, c.Name, c.In))
		case c.Options.WaitForCancellation:
			ctx, stop := workflow.NewDisconnectedContext(ctx)
			defer stop()
			_ = o.Next.Sleep(ctx, stopTime)
			if o.stage.stops != nil {
				out, err = o.stage.stops(c)
			}
		}
		c.Ended = workflow.Now(ctx)
		end.Set(out, err)
	})
	return f
}
