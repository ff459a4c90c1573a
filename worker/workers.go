package main

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// stopTimeout lets running activities reach their next watermark; it has to stay
// below the pod's grace period of 30 s.
const stopTimeout = 10 * time.Second

// heartbeatInterval is how often the SDK passes a heartbeat on, and how long it
// waits for the server to take it: by default 8 s of the 10 s after which a worker
// counts as dead.
const heartbeatInterval = 3 * time.Second

// promptSlots are for reads and clean-ups, which take seconds: the long work of backups and
// restores, which waits for others too, leaves them alone.
const promptSlots = 8

// workers poll the two queues of a cluster. Both know every activity: runs that an earlier
// version has begun have their clean-ups in the first queue.
type workers struct{ work, prompt worker.Worker }

// newWorkers makes them. Activities get the values of ctx, and end when they are told to and
// not with it.
func newWorkers(ctx context.Context, tc *temporal.Client, slots int, around []interceptor.WorkerInterceptor) *workers {
	options := worker.Options{
		MaxConcurrentActivityExecutionSize: slots,
		MaxHeartbeatThrottleInterval:       heartbeatInterval,
		DefaultHeartbeatThrottleInterval:   heartbeatInterval,
		WorkerStopTimeout:                  stopTimeout,
		BackgroundActivityContext:          context.WithoutCancel(ctx),
		Interceptors:                       around,
	}
	prompt := options
	prompt.MaxConcurrentActivityExecutionSize = promptSlots
	prompt.DisableWorkflowWorker = true
	return &workers{
		work:   worker.New(tc.SDK(), contract.TaskQueue(tc.Cluster()), options),
		prompt: worker.New(tc.SDK(), contract.PromptQueue(tc.Cluster()), prompt),
	}
}

// RegisterActivityWithOptions registers an activity for both queues.
func (w *workers) RegisterActivityWithOptions(a any, o activity.RegisterOptions) {
	w.work.RegisterActivityWithOptions(a, o)
	w.prompt.RegisterActivityWithOptions(a, o)
}

// Start begins to poll. When it fails nothing polls.
func (w *workers) Start() error {
	if err := w.prompt.Start(); err != nil {
		return err
	}
	if err := w.work.Start(); err != nil {
		w.prompt.Stop()
		return err
	}
	return nil
}

// Stop ends both at the same time: each may take stopTimeout.
func (w *workers) Stop() {
	var group sync.WaitGroup
	group.Go(w.work.Stop)
	group.Go(w.prompt.Stop)
	group.Wait()
}
