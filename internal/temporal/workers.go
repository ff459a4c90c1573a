package temporal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// discoverTimeout bounds each look-up of clusters and of who polls a queue.
const discoverTimeout = 5 * time.Second

// Clusters lists the clusters that are served in this namespace: those with running
// workflows of ours and those whose workers report themselves.
func (c *Connection) Clusters(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	running, err := c.queuesOfWorkflows(ctx)
	if err != nil {
		return nil, explainError(err)
	}
	polled, err := c.queuesOfWorkers(ctx)
	if err != nil {
		return nil, explainError(err)
	}
	var found []string
	for _, queue := range append(running, polled...) {
		if cluster := contract.ClusterOf(queue); cluster != queue && cluster != "" {
			found = append(found, cluster)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func (c *Connection) queuesOfWorkflows(ctx context.Context) ([]string, error) {
	query := fmt.Sprintf("WorkflowType IN ('%s','%s','%s') AND ExecutionStatus = 'Running'",
		contract.CatalogWorkflow, contract.BackupWorkflow, contract.RestoreWorkflow)
	res, err := c.sdk.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 200})
	if err != nil {
		return nil, err
	}
	var queues []string
	for _, info := range res.GetExecutions() {
		queues = append(queues, info.GetTaskQueue())
	}
	return queues, nil
}

// queuesOfWorkers finds clusters that have a worker and have run nothing yet. A
// server too old for worker reports gives none.
func (c *Connection) queuesOfWorkers(ctx context.Context) ([]string, error) {
	res, err := c.sdk.WorkflowService().ListWorkers(ctx, &workflowservice.ListWorkersRequest{
		Namespace: c.namespace, PageSize: 200,
	})
	if lacksWorkerReports(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var queues []string
	for _, w := range res.GetWorkers() {
		queues = append(queues, w.GetTaskQueue())
	}
	for _, w := range res.GetWorkersInfo() { //nolint:staticcheck // servers before WorkerListInfo fill only this
		queues = append(queues, w.GetWorkerHeartbeat().GetTaskQueue())
	}
	return queues, nil
}

func lacksWorkerReports(err error) bool {
	var unimplemented *serviceerror.Unimplemented
	var denied *serviceerror.PermissionDenied
	return errors.As(err, &unimplemented) || errors.As(err, &denied)
}

// Limits of the look for a worker.
const (
	// workerGrace is how long RequireWorker looks again: somebody who starts a
	// worker and the CLI at once shall not be told that there is none.
	workerGrace = 3 * time.Second
	// pollAge is when a poll counts as a dead worker's. A live one polls anew at
	// least every 70 s (Temporal's long poll of 60 s and some slack); Temporal
	// itself lists polls for 5 minutes.
	pollAge = 90 * time.Second
	// answerTimeout is how long RequireAnswer waits. Temporal gives a worker that was killed 5 s
	// before it lets another one answer.
	answerTimeout = 8 * time.Second
)

// RequireWorker fails with ErrNoWorker when nobody polls the cluster's queue.
func (c *Client) RequireWorker(ctx context.Context) error {
	_, err := c.awaitPollers(ctx)
	return err
}

// RequireAnswer fails with ErrNoWorker when nobody polls the cluster's queue, and with ErrLost when
// those do not answer that Temporal lists: it does so for a while when they have ended. A worker
// answers without any work, by what it keeps in memory.
func (c *Client) RequireAnswer(ctx context.Context) error {
	all, err := c.Pollers(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return c.noWorkerError()
	}
	asking, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, err = c.sdk.QueryWorkflow(asking, contract.CatalogID(c.cluster), "", client.QueryTypeStackTrace)
	var unpolled *serviceerror.FailedPrecondition
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case isConnectionLost(err), errors.As(err, &unpolled):
		return c.silentError(all)
	}
	return nil // an error is an answer too
}

// silentError names the workers that Temporal lists and that do not answer.
func (c *Client) silentError(all []Poller) error {
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	return &remoteError{kind: ErrLost, text: fmt.Sprintf(
		"no worker of cluster %s answers within %s: %s polled task queue %s in Temporal namespace %q at %s in the last %s, and may have ended since: look whether it runs, or start one with lifeboat-worker --config lifeboat.yaml",
		c.cluster, answerTimeout, strings.Join(names, ", "), contract.TaskQueue(c.cluster), c.namespace, c.address, pollAge)}
}

// awaitPollers are the workers of the cluster, of which there is at least one.
func (c *Client) awaitPollers(ctx context.Context) (all []Poller, err error) {
	grace, cancel := context.WithTimeout(ctx, workerGrace)
	defer cancel()
	err = wait.PollUntilContextCancel(grace, workerGrace/10, true, func(context.Context) (bool, error) {
		var err error
		all, err = c.Pollers(ctx) // not grace: a look that has begun may take its time
		return len(all) > 0, err
	})
	if err != nil && ctx.Err() == nil && errors.Is(err, grace.Err()) {
		err = c.noWorkerError()
	}
	return all, err
}

func (c *Client) noWorkerError() error {
	return &remoteError{kind: ErrNoWorker, text: fmt.Sprintf(
		"no worker polls task queue %s in Temporal namespace %q at %s: start one with lifeboat-worker --config lifeboat.yaml, or correct --cluster",
		contract.TaskQueue(c.cluster), c.namespace, c.address)}
}

// hasPoller is true when somebody has polled the cluster's queue within pollAge.
func (c *Client) hasPoller(ctx context.Context) (bool, error) {
	all, err := c.Pollers(ctx)
	return len(all) > 0, err
}
