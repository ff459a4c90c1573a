package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// ClusterVariable names the cluster when --cluster is not given.
const ClusterVariable = "LIFEBOAT_CLUSTER"

// discoverTimeout bounds each of the two look-ups of clusters.
const discoverTimeout = 5 * time.Second

func (e *Engine) chooseCluster(ctx context.Context, o Options) (string, error) {
	if o.Cluster != "" {
		return o.Cluster, nil
	}
	if cluster, ok := o.Env.LookupEnv(ClusterVariable); ok && cluster != "" {
		return cluster, nil
	}
	found, err := e.clusters(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("look for clusters: %w; name one with --cluster or %s", err, ClusterVariable)
	case len(found) == 0:
		return "", fmt.Errorf("no cluster is served in Temporal namespace %q at %s: start a worker (lifeboat-worker --config lifeboat.yaml) or name the cluster with --cluster or %s",
			e.space, e.address, ClusterVariable)
	case len(found) > 1:
		return "", fmt.Errorf("several clusters are served here: name one of %s with --cluster or %s",
			strings.Join(firstNames(found), ", "), ClusterVariable)
	}
	return found[0], nil
}

// clusters lists the clusters known here: those with running workflows of ours
// and those whose workers report themselves.
func (e *Engine) clusters(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	running, err := e.queuesOfWorkflows(ctx)
	if err != nil {
		return nil, explain(err)
	}
	polled, err := e.queuesOfWorkers(ctx)
	if err != nil {
		return nil, explain(err)
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

func (e *Engine) queuesOfWorkflows(ctx context.Context) ([]string, error) {
	query := fmt.Sprintf("WorkflowType IN ('%s','%s','%s') AND ExecutionStatus = 'Running'",
		contract.CatalogWorkflow, contract.BackupWorkflow, contract.RestoreWorkflow)
	res, err := e.c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 200})
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
func (e *Engine) queuesOfWorkers(ctx context.Context) ([]string, error) {
	res, err := e.c.WorkflowService().ListWorkers(ctx, &workflowservice.ListWorkersRequest{
		Namespace: e.space, PageSize: 200,
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
)

// RequireWorker fails with ErrNoWorker when nobody polls the cluster's queue.
func (e *Engine) RequireWorker(ctx context.Context) error {
	deadline := time.Now().Add(workerGrace)
	for {
		polled, err := e.polled(ctx)
		if err != nil || polled {
			return err
		}
		if time.Now().After(deadline) {
			return e.noWorker()
		}
		if err := pause(ctx, workerGrace/10); err != nil {
			return err
		}
	}
}

func (e *Engine) noWorker() error {
	return &said{kind: ErrNoWorker, text: fmt.Sprintf(
		"no worker polls task queue %s in Temporal namespace %q at %s: start one with lifeboat-worker --config lifeboat.yaml, or correct --cluster",
		contract.TaskQueue(e.cluster), e.space, e.address)}
}

// polled is true when somebody has polled the cluster's queue within pollAge.
func (e *Engine) polled(ctx context.Context) (bool, error) {
	queue := contract.TaskQueue(e.cluster)
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	res, err := e.c.DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return false, fmt.Errorf("describe task queue %s: %w", queue, explain(err))
	}
	return slices.ContainsFunc(res.GetPollers(), func(p *taskqueuepb.PollerInfo) bool {
		return time.Since(p.GetLastAccessTime().AsTime()) < pollAge
	}), nil
}
