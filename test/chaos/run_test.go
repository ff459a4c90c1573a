//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// starter starts a run.
type starter func(ctx context.Context) (client.WorkflowRun, error)

func (l *lane) execute(id, workflow string, input any) starter {
	return func(ctx context.Context) (client.WorkflowRun, error) {
		return l.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: contract.TaskQueue(l.Cluster)}, workflow, input)
	}
}

func (l *lane) startBackup(name string, spec velerov1.BackupSpec) starter {
	return l.execute(contract.BackupID(l.Cluster, name), contract.BackupWorkflow, contract.BackupInput{Name: name, Spec: spec})
}

func (l *lane) startDelete(name string) starter {
	return l.execute(contract.DeleteID(l.Cluster, name), contract.DeleteBackupWorkflow, contract.DeleteBackupInput{Name: name})
}

// startRestore restores the sample into another namespace.
func (l *lane) startRestore(name, target string) starter {
	return l.execute(contract.RestoreID(l.Cluster, name), contract.RestoreWorkflow, contract.RestoreInput{Name: name, Spec: velerov1.RestoreSpec{
		BackupName: "base", NamespaceMapping: map[string]string{l.source(): target},
	}})
}

// backup takes one and waits.
func (l *lane) backup(ctx context.Context, name string, spec velerov1.BackupSpec) error {
	run, err := l.startBackup(name, spec)(ctx)
	if err != nil {
		return err
	}
	var res contract.BackupResult
	if err := run.Get(ctx, &res); err != nil {
		return err
	}
	if res.Phase != "Completed" {
		return fmt.Errorf("backup %s is %s: %v", name, res.Phase, res.Reasons)
	}
	return nil
}

// terminateAll ends every backup, restore and deletion of the lane.
func (l *lane) terminateAll(ctx context.Context) error {
	list, err := l.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("TaskQueue = '%s' AND ExecutionStatus = 'Running' AND WorkflowType != 'Catalog'", contract.TaskQueue(l.Cluster)),
	})
	if err != nil {
		return err
	}
	for _, e := range list.GetExecutions() {
		err = errors.Join(err, l.Temporal.TerminateWorkflow(ctx, e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), "put right"))
	}
	return err
}

// point is a place in a run: the n-th request of a signature, before it reaches the
// server or after its answer has left it.
type point struct {
	activity string // to which the request belongs
	side     string
	sig      string
	nth      int
	moment   Moment
}

func (p point) String() string {
	return fmt.Sprintf("%s/%s %s %s %d", p.activity, p.moment, p.side, p.sig, p.nth)
}

func (p point) is(c Call, m Moment) bool {
	return p.moment == m && p.side == c.Side && p.sig == c.Sig && p.nth == c.Nth
}

// disturb starts a run, holds the request at p, lets act do its worst, lets the
// request go on, or drops it, and waits for the end of the run.
func (l *lane) disturb(ctx context.Context, p point, start starter, act func(client.WorkflowRun) (drop bool, err error), result any) error {
	reached, release := make(chan struct{}), make(chan struct{})
	var once, free sync.Once
	drop := false
	defer free.Do(func() { close(release) })
	l.arm(func(c Call, m Moment) *Answer {
		if !p.is(c, m) {
			return nil
		}
		once.Do(func() { close(reached) })
		<-release
		if drop {
			return &Answer{}
		}
		return nil
	})
	run, err := start(ctx)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Get(ctx, result) }()
	select {
	case <-reached:
	case err := <-ended:
		return fmt.Errorf("the run ended before %s: %w", p, errors.Join(err, errors.New("not reached")))
	}
	if drop, err = act(run); err != nil {
		return fmt.Errorf("at %s: %w", p, err)
	}
	free.Do(func() { close(release) })
	if err := <-ended; err != nil {
		return fmt.Errorf("run after %s: %w", p, err)
	}
	return nil
}

// strike is what is done to a run that is held at a point, and whether the request that
// is held is dropped.
type strike func(ctx context.Context, l *lane, p point, run client.WorkflowRun) (drop bool, err error)

// struck is disturb by a strike.
func (l *lane) struck(ctx context.Context, p point, start starter, do strike, result any) error {
	return l.disturb(ctx, p, start, func(run client.WorkflowRun) (bool, error) { return do(ctx, l, p, run) }, result)
}

// kill is kill -9 of the worker; another one goes on.
func kill(ctx context.Context, l *lane, _ point, _ client.WorkflowRun) (bool, error) {
	l.current().Kill()
	return true, l.start(ctx)
}

// terminate ends a run from outside, and waits until the worker has noticed.
func terminate(ctx context.Context, l *lane, p point, run client.WorkflowRun) (bool, error) {
	return true, errors.Join(l.Temporal.TerminateWorkflow(ctx, run.GetID(), run.GetRunID(), "test"), l.givenUp(ctx, p))
}

// wasTerminated says whether a run ended as terminated.
func wasTerminated(err error) error {
	var ended *temporal.TerminatedError
	if !errors.As(err, &ended) {
		return fmt.Errorf("the run ended otherwise than terminated: %w", err)
	}
	return nil
}

// cancel asks a run to stop. Until it is too late, the run has to stop although the call
// that it waits for is never answered.
func cancel(ctx context.Context, l *lane, p point, run client.WorkflowRun) (bool, error) {
	if err := l.Temporal.CancelWorkflow(ctx, run.GetID(), run.GetRunID()); err != nil {
		return false, err
	}
	if !slices.Contains(lastPhases, p.activity) {
		_ = run.Get(ctx, nil) // its error is looked at by the caller
	}
	return false, nil
}

// span is when an activity ran.
type span struct {
	activity string
	from, to time.Time
}

// trace is an undisturbed run: what it asked for and what it was doing then.
type trace struct {
	calls []Call
	spans []span
}

// record runs undisturbed, on a worker that has done nothing yet.
func (l *lane) record(ctx context.Context, start starter, result any) (*trace, error) {
	l.current().Stop()
	if err := l.start(ctx); err != nil {
		return nil, err
	}
	l.arm(nil)
	run, err := start(ctx)
	if err != nil {
		return nil, err
	}
	if err := run.Get(ctx, result); err != nil {
		return nil, err
	}
	spans, err := l.spans(ctx, run)
	return &trace{calls: l.calls(), spans: spans}, err
}

func (l *lane) spans(ctx context.Context, run client.WorkflowRun) ([]span, error) {
	names, starts := map[int64]string{}, map[int64]time.Time{}
	var out []span
	history := l.Temporal.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			return nil, err
		}
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			names[e.GetEventId()] = a.GetActivityType().GetName()
		}
		if a := e.GetActivityTaskStartedEventAttributes(); a != nil {
			starts[a.GetScheduledEventId()] = e.GetEventTime().AsTime()
		}
		if a := e.GetActivityTaskCompletedEventAttributes(); a != nil {
			id := a.GetScheduledEventId()
			out = append(out, span{names[id], starts[id], e.GetEventTime().AsTime()})
		}
		if c := e.GetChildWorkflowExecutionStartedEventAttributes(); c != nil {
			of, err := l.spans(ctx, l.Temporal.GetWorkflow(ctx, c.GetWorkflowExecution().GetWorkflowId(), c.GetWorkflowExecution().GetRunId()))
			if err != nil {
				return nil, err
			}
			out = append(out, of...)
		}
	}
	return out, nil
}

// points are the first and last request of every activity, before and after, and an
// even sample of the others, or all. Of an activity that runs many times, the first and
// the last run stand for all.
func (t *trace) points(sample int) []point {
	var edges, rest []point
	seen := map[point]bool{}
	add := func(list *[]point, activity string, c Call, moments ...Moment) {
		for _, m := range moments {
			p := point{activity, c.Side, c.Sig, c.Nth, m}
			if key := (point{"", p.side, p.sig, p.nth, m}); !seen[key] {
				seen[key] = true
				*list = append(*list, p)
			}
		}
	}
	for _, s := range t.typical() {
		if in := t.within(s); len(in) > 0 {
			add(&edges, s.activity, in[0], Before, After)
			add(&edges, s.activity, in[len(in)-1], Before, After)
		}
	}
	for i, s := range t.spans {
		for j, c := range t.within(s) {
			add(&rest, s.activity, c, []Moment{Before, After}[(i+j)%2])
		}
	}
	sample = min(sample, len(rest))
	for i := range sample {
		edges = append(edges, rest[(2*i+1)*len(rest)/(2*sample)])
	}
	return edges
}

func (t *trace) typical() []span {
	runs := map[string][]span{}
	for _, s := range t.spans {
		runs[s.activity] = append(runs[s.activity], s)
	}
	var out []span
	for _, s := range t.spans {
		if all := runs[s.activity]; s == all[0] || s == all[len(all)-1] {
			out = append(out, s)
		}
	}
	return out
}

// within are the calls while an activity ran.
func (t *trace) within(s span) []Call {
	from := slices.IndexFunc(t.calls, func(c Call) bool { return !c.At.Before(s.from) })
	if from < 0 {
		return nil
	}
	to := from
	for to < len(t.calls) && !t.calls[to].At.After(s.to) {
		to++
	}
	return t.calls[from:to]
}

// own are the calls while an activity ran of a kind that nothing beside it makes: what a worker asks
// for on a period falls into any activity, and holds none.
func (t *trace) own(s span) []Call {
	beside := map[string]bool{}
	for _, c := range t.calls {
		beside[c.Sig] = beside[c.Sig] || !slices.ContainsFunc(t.spans, func(o span) bool {
			return o.activity == s.activity && !c.At.Before(o.from) && !c.At.After(o.to)
		})
	}
	return slices.DeleteFunc(slices.Clone(t.within(s)), func(c Call) bool { return beside[c.Sig] })
}

// during is a request in the midst of an activity, to hold the run there.
func (t *trace) during(activity string, m Moment) (point, error) {
	for _, s := range t.spans {
		if in := t.own(s); s.activity == activity && len(in) > 0 {
			c := in[len(in)/2]
			return point{activity, c.Side, c.Sig, c.Nth, m}, nil
		}
	}
	return point{}, fmt.Errorf("no request of %s in the undisturbed run", activity)
}
