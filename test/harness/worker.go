package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// Worker is a running lifeboat-worker process.
type Worker struct {
	cmd  *exec.Cmd
	log  string
	done chan error
}

// StartWorker starts a worker and waits until it polls. env are further variables
// ("K=V").
func (h *Harness) StartWorker(ctx context.Context, env ...string) (*Worker, error) {
	return h.StartWorkerOf(ctx, h.bin.Worker, env...)
}

// StartWorkerOf is StartWorker with another build of the worker.
func (h *Harness) StartWorkerOf(ctx context.Context, binary string, env ...string) (*Worker, error) {
	log, err := os.CreateTemp(h.Dir, "worker-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	w := &Worker{cmd: exec.Command(binary, "--config", h.path), log: log.Name(), done: make(chan error, 1)}
	w.cmd.Stdout, w.cmd.Stderr = log, log
	w.cmd.Env = append(append(os.Environ(), stack.WorkerEnvironment), env...)
	w.cmd.SysProcAttr = dieWithTest()
	if err := w.start(); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	if err := w.ready(ctx); err != nil {
		return w, err
	}
	return w, h.awaitPoller(ctx, w)
}

// start starts the process from a thread that lasts as long as it does: the kernel kills it with
// the thread that forked, and Go ends threads that are idle.
func (w *Worker) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := w.cmd.Start()
		started <- err
		if err == nil {
			w.done <- w.cmd.Wait()
		}
	}()
	return <-started
}

// awaitPoller waits until Temporal shows the worker among those that poll the queue: the CLI goes
// by that, and on a busy machine the first poll comes seconds after the worker is ready.
func (h *Harness) awaitPoller(ctx context.Context, w *Worker) error {
	name := fmt.Sprint(w.PID(), "@")
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		res, err := h.Temporal.DescribeTaskQueue(ctx, contract.TaskQueue(h.Cluster), enumspb.TASK_QUEUE_TYPE_WORKFLOW)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && slices.ContainsFunc(res.GetPollers(), func(p *taskqueuepb.PollerInfo) bool { return strings.HasPrefix(p.GetIdentity(), name) }) {
			return nil
		}
	}
	return fmt.Errorf("worker %s does not poll after 60 s: %s", name, w.Log())
}

func (w *Worker) ready(ctx context.Context) error {
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if bytes.Contains(w.Log(), []byte("worker ready")) {
			return nil
		}
		select {
		case err := <-w.done:
			w.done <- err
			return fmt.Errorf("worker ended at start: %w: %s", err, w.Log())
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
	return fmt.Errorf("worker is not ready after 60 s: %s", w.Log())
}

// PID is the process id.
func (w *Worker) PID() int { return w.cmd.Process.Pid }

// Log is what the worker has printed.
func (w *Worker) Log() []byte {
	data, err := os.ReadFile(w.log)
	if err != nil {
		return []byte(err.Error())
	}
	return data
}

// Kill is kill -9; it returns once the process is gone. It may repeat.
func (w *Worker) Kill() { w.end(syscall.SIGKILL) }

// Stop asks the worker to end and waits for it.
func (w *Worker) Stop() { w.end(syscall.SIGTERM) }

func (w *Worker) end(sig syscall.Signal) {
	_ = w.cmd.Process.Signal(sig) // one that has ended needs no signal
	err := <-w.done
	w.done <- err
}

// PeakRSS is the most memory that the running worker has held, in bytes.
func (w *Worker) PeakRSS() (int64, error) {
	data, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(w.PID()), "status"))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(data), "\n") {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("no VmHWM for worker %d", w.PID())
}
