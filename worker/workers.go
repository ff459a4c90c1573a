package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	sdkinterceptor "go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/internal/temporal/interceptor"
)

// How a worker stops: for handoverTime running activities may end by themselves, or reach their
// next watermark; then they are told to end, and after stopTimeout nobody waits for them any
// more. Together with telemetryTimeout that has to stay below the pod's grace period of 30 s.
const (
	handoverTime = 5 * time.Second
	stopTimeout  = 15 * time.Second
)

// heartbeatInterval is how often the SDK passes a heartbeat on, and how long it
// waits for the server to take it: by default 8 s of the 10 s after which a worker
// counts as dead.
const heartbeatInterval = 3 * time.Second

// promptSlots are for reads and clean-ups, which take seconds: the long work of backups and
// restores, which waits for others too, leaves them alone.
const promptSlots = 8

// drillSlots are for the drill of a cluster, which has no more work than that at a time: what it
// waits for keeps no backup and no restore waiting.
const drillSlots = 4

// workers poll the queues of a cluster. All know every activity: runs that an earlier
// version has begun have their clean-ups in the first queue.
type workers struct {
	work, prompt, drill worker.Worker
	failed              chan error // why one of them has stopped by itself
}

// newWorkers makes them. Activities get the values of ctx, and end when they are told to and
// not with it.
func newWorkers(ctx context.Context, tc *temporal.Client, own temporal.Version, slots int, around []sdkinterceptor.WorkerInterceptor) *workers {
	failed := make(chan error, 3) // one of each: nobody has to wait for them
	options := worker.Options{
		MaxConcurrentActivityExecutionSize: slots,
		MaxHeartbeatThrottleInterval:       heartbeatInterval,
		DefaultHeartbeatThrottleInterval:   heartbeatInterval,
		WorkerStopTimeout:                  stopTimeout,
		BackgroundActivityContext:          context.WithoutCancel(ctx),
		Interceptors:                       append(slices.Clone(around), &interceptor.Lease{}, &interceptor.Handover{After: handoverTime}),
		DeploymentOptions:                  own.Options(),
		OnFatalError:                       func(err error) { failed <- err },
	}
	withSlots := func(n int) worker.Options {
		options := options
		options.MaxConcurrentActivityExecutionSize, options.DisableWorkflowWorker = n, true
		return options
	}
	return &workers{
		failed: failed,
		work:   worker.New(tc.SDK(), contract.TaskQueue(tc.Cluster()), options),
		prompt: worker.New(tc.SDK(), contract.PromptQueue(tc.Cluster()), withSlots(promptSlots)),
		drill:  worker.New(tc.SDK(), contract.DrillQueue(tc.Cluster()), withSlots(drillSlots)),
	}
}

// all are in the order in which they begin: the one that takes up runs is the last.
func (w *workers) all() []worker.Worker { return []worker.Worker{w.prompt, w.drill, w.work} }

// RegisterActivityWithOptions registers an activity for all queues.
func (w *workers) RegisterActivityWithOptions(a any, o activity.RegisterOptions) {
	for _, each := range w.all() {
		each.RegisterActivityWithOptions(a, o)
	}
}

// Start begins to poll. When it fails nothing polls.
func (w *workers) Start() error {
	for i, each := range w.all() {
		if err := each.Start(); err != nil {
			for _, begun := range w.all()[:i] {
				begun.Stop()
			}
			return err
		}
	}
	return nil
}

// await returns when watch does, or with an error when Temporal refuses one of the workers for
// good, for example because the namespace is gone: that one has stopped by itself, and only a new
// process polls again.
func (w *workers) await(ctx context.Context, watch func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan error, 1)
	go func() { watched <- watch(ctx) }()
	select {
	case err := <-watched:
		return err
	case err := <-w.failed:
		return fmt.Errorf("temporal refuses this worker: %w", err)
	}
}

// Stop ends all at the same time: each may take stopTimeout.
func (w *workers) Stop() {
	var group sync.WaitGroup
	for _, each := range w.all() {
		group.Go(each.Stop)
	}
	group.Wait()
}
