package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// heartbeatTimeout is how long a dead worker goes unnoticed. Activities send a
// heartbeat every 3 s, so a busy machine may miss two of them.
const heartbeatTimeout = 10 * time.Second

// giveUpAfter bounds an outage of the API server or the store that a run sits out:
// Velero's default itemOperationTimeout.
const giveUpAfter = 4 * time.Hour

// Snapshots, disks and claims are looked at after firstPollWait, then ever less often: a
// small one is ready within seconds, a large one takes an hour or days.
const (
	firstPollWait = 500 * time.Millisecond
	// briskPollWait is up to where the waits of a restore grow fast.
	briskPollWait = 30 * time.Second
	// longestPollWait keeps the history of a run that waits for three days below the 4,096
	// events at which Temporal suggests a new run: a look costs 11. A wait of that length is
	// reached after two hours.
	longestPollWait = 15 * time.Minute
)

// Which work gets a slot first, of what waits for one: the lowest. Backups, deletions and changes of
// schedules have Temporal's default, 3. A server without priorities (matching.useNewMatcher)
// gives slots in the order of asking.
const (
	restorePriority = 1 // somebody waits whose cluster is broken
	drillPriority   = 4
	quietPriority   = 5 // verification, garbage, rehearsals: tomorrow will do
)

// withPriority gives a priority to all activities of a run.
func withPriority(ctx workflow.Context, key int) workflow.Context {
	return workflow.WithPriority(ctx, temporal.Priority{PriorityKey: key})
}

// growWait is the wait after wait: nothing is seen later than by an eighth of its time.
func growWait(wait time.Duration) time.Duration { return min(wait*9/8, longestPollWait) }

// growBriskWait is growWait of a restore, for which somebody waits: it comes to half a minute
// with fewer looks.
func growBriskWait(wait time.Duration) time.Duration {
	if wait < briskPollWait {
		return min(wait*3/2, briskPollWait)
	}
	return growWait(wait)
}

// withWorkTime makes room for activities that work, or wait for others, for as long
// as d without any outage.
func withWorkTime(ctx workflow.Context, d time.Duration) workflow.Context {
	return workflow.WithScheduleToCloseTimeout(ctx, d+giveUpAfter)
}

// withDurableOptions are the options of every activity that changes something. All of
// them are idempotent and send heartbeats. None is given up on before giveUpAfter, or
// the time that withWorkTime has set, unless its error is non-retryable.
func withDurableOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: max(giveUpAfter, workflow.GetActivityOptions(ctx).ScheduleToCloseTimeout),
		HeartbeatTimeout:       heartbeatTimeout,
		WaitForCancellation:    true,
		Summary:                summary,
		Priority:               workflow.GetActivityOptions(ctx).Priority,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    30 * time.Second,
		},
	})
}

// withOneTry are the durable options of what a later round tries again: it sits out no outage, and
// is given up on within a time.
func withOneTry(ctx workflow.Context, summary string, within time.Duration) workflow.Context {
	ctx = workflow.WithScheduleToCloseTimeout(withDurableOptions(ctx, summary), within)
	retry := *workflow.GetActivityOptions(ctx).RetryPolicy
	retry.MaximumAttempts = garbageAttempts
	return workflow.WithRetryPolicy(ctx, retry)
}

// withPromptQueue gives an activity to the slots that no long work takes.
func withPromptQueue(ctx workflow.Context) workflow.Context {
	return workflow.WithTaskQueue(ctx, contract.PromptQueue(contract.ClusterOf(workflow.GetInfo(ctx).TaskQueueName)))
}

// withDrillQueue gives activities to slots that only drills take, so that no backup and no restore waits for
// one that waits. Replays do not compare queues: runs of earlier versions go on there.
func withDrillQueue(ctx workflow.Context) workflow.Context {
	return workflow.WithTaskQueue(ctx, contract.DrillQueue(contract.ClusterOf(workflow.GetInfo(ctx).TaskQueueName)))
}

// withInteractiveOptions are the options of a read that a person waits for: it fails
// soon.
func withInteractiveOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(withPromptQueue(ctx), workflow.ActivityOptions{
		ScheduleToCloseTimeout: time.Minute,
		HeartbeatTimeout:       heartbeatTimeout,
		Summary:                summary,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: 3},
	})
}

func runActivity[In, Out any](ctx workflow.Context, a contract.Activity[In, Out], in In) (Out, error) {
	var out Out
	err := workflow.ExecuteActivity(ctx, a.Name, in).Get(ctx, &out)
	return out, err
}

// fanOut runs n activities with at most window in flight and calls done with each
// result in the order of completion. The first error cancels the rest, waits for
// them to stop and is returned.
func fanOut[In, Out any](ctx workflow.Context, a contract.Activity[In, Out], n, window int,
	input func(i int) (In, string), done func(i int, out Out),
) error {
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	sel := workflow.NewSelector(ctx)
	var first error
	next, pending := 0, 0
	for next < n && pending < window || pending > 0 {
		for first == nil && next < n && pending < window {
			i := next
			in, summary := input(i)
			sel.AddFuture(workflow.ExecuteActivity(withDurableOptions(ctx, summary), a.Name, in), func(f workflow.Future) {
				var out Out
				pending--
				if err := f.Get(ctx, &out); err != nil {
					if first == nil {
						first = err
						cancel()
					}
					return
				}
				done(i, out)
			})
			next++
			pending++
		}
		if pending == 0 {
			break
		}
		sel.Select(ctx)
	}
	return first
}
