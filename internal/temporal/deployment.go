package temporal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Version is the workers of a cluster that are of one build, as Temporal's Worker Versioning tells
// them apart. The zero value are workers that poll without a version.
type Version struct{ Deployment, Build string }

// Version is that of the workers of a build. A deployment is one cluster's: Temporal makes a
// version current for all queues of its deployment.
func (c *Client) Version(build string) Version {
	return Version{Deployment: contract.TaskQueue(c.cluster), Build: build}
}

// Options are what a worker of the version polls with.
func (v Version) Options() worker.DeploymentOptions {
	if v == (Version{}) {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{
		UseVersioning: true,
		Version:       worker.WorkerDeploymentVersion{DeploymentName: v.Deployment, BuildID: v.Build},
	}
}

// versions are which workers poll a cluster's queue, and which of them get what is new.
type versions struct {
	current Version
	polling []Version
}

// CurrentVersion are the workers that get new runs, and all that are not pinned.
func (c *Client) CurrentVersion(ctx context.Context) (Version, error) {
	v, err := c.versions(ctx)
	return v.current, err
}

// versions asks the server who polls the queue of the cluster's workflows.
func (c *Client) versions(ctx context.Context) (versions, error) {
	queue := contract.TaskQueue(c.cluster)
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	res, err := c.sdk.DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return versions{}, fmt.Errorf("describe task queue %s: %w", queue, explainError(err))
	}
	return versionsOf(res, time.Now()), nil
}

func versionsOf(res *workflowservice.DescribeTaskQueueResponse, now time.Time) versions {
	v := versions{current: versionOf(res.GetVersioningInfo().GetCurrentDeploymentVersion())}
	for _, p := range res.GetPollers() {
		if now.Sub(p.GetLastAccessTime().AsTime()) < pollAge {
			v.polling = append(v.polling, versionOfPoller(p))
		}
	}
	return v
}

func versionOf(v *deploymentpb.WorkerDeploymentVersion) Version {
	return Version{Deployment: v.GetDeploymentName(), Build: v.GetBuildId()}
}

func versionOfPoller(p *taskqueuepb.PollerInfo) Version {
	o := p.GetDeploymentOptions()
	if o.GetWorkerVersioningMode() != enumspb.WORKER_VERSIONING_MODE_VERSIONED {
		return Version{}
	}
	return Version{Deployment: o.GetDeploymentName(), Build: o.GetBuildId()}
}

// TakeOver makes the workers of a version those that get new runs, and all that are not pinned.
// It may repeat. It fails as long as Temporal has not seen them poll.
func (c *Client) TakeOver(ctx context.Context, own Version) error {
	v, err := c.versions(ctx)
	if err != nil || v.current == own {
		return err
	}
	return c.setCurrent(ctx, v.current, own)
}

// setCurrent sets the current version of the own deployment; that of workers without a version
// is set in the deployment that they take over from.
func (c *Client) setCurrent(ctx context.Context, current, own Version) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	deployment := own.Deployment
	if deployment == "" {
		deployment = current.Deployment
	}
	_, err := c.sdk.WorkerDeploymentClient().GetHandle(deployment).SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{
		BuildID:                 own.Build,
		IgnoreMissingTaskQueues: true, // a later version may do with fewer
	})
	if err != nil {
		return fmt.Errorf("make build %q the current version of deployment %s: %w", own.Build, deployment, explainError(err))
	}
	return nil
}

// KeepWorking puts right what a rollout may leave behind: where no worker polls any more that new
// work goes to, it goes to the workers of own, and runs that are pinned to versions without
// workers are moved to the current one. Every worker may call it, and again.
func (c *Client) KeepWorking(ctx context.Context, own Version) error {
	v, err := c.versions(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(v.polling, v.current) && slices.Contains(v.polling, own) {
		if err := c.setCurrent(ctx, v.current, own); err != nil {
			return err
		}
	}
	return c.movePinned(ctx, func(pinned Version) bool { return !slices.Contains(v.polling, pinned) })
}

// LeaveRuns moves the runs that are pinned to a version, whose workers are about to end, to the
// version that is current by now. Where that is the same, its other workers go on with them.
func (c *Client) LeaveRuns(ctx context.Context, own Version) error {
	v, err := c.versions(ctx)
	if err != nil || own == (Version{}) || v.current == own {
		return err
	}
	return c.movePinned(ctx, func(pinned Version) bool { return pinned == own })
}

// movePinned has runs that are pinned to a version follow the current one. Histories of earlier
// builds replay with later ones, so that this is safe at any time.
func (c *Client) movePinned(ctx context.Context, from func(Version) bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	query := fmt.Sprintf("TaskQueue = '%s' AND ExecutionStatus = 'Running' AND TemporalWorkflowVersioningBehavior = 'Pinned'", contract.TaskQueue(c.cluster))
	var failed []error
	for token := []byte(nil); ; {
		res, err := c.sdk.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 200, NextPageToken: token})
		var unknown *serviceerror.InvalidArgument
		if errors.As(err, &unknown) {
			return nil // a server that does not know the attribute pins nothing
		}
		if err != nil {
			return errors.Join(append(failed, fmt.Errorf("list running workflows: %w", explainError(err)))...)
		}
		for _, e := range res.GetExecutions() {
			if err := c.moveRun(ctx, e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), from); err != nil {
				failed = append(failed, err)
			}
		}
		if token = res.GetNextPageToken(); len(token) == 0 {
			return errors.Join(failed...)
		}
	}
}

func (c *Client) moveRun(ctx context.Context, id, run string, from func(Version) bool) error {
	info, err := c.describeRun(ctx, id, run)
	if err != nil {
		return fmt.Errorf("describe workflow %s: %w", id, explainError(err))
	}
	v := info.GetVersioningInfo()
	pinned := v.GetBehavior() == enumspb.VERSIONING_BEHAVIOR_PINNED && v.GetVersioningOverride() == nil
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || !pinned || !from(versionOf(v.GetDeploymentVersion())) {
		return nil
	}
	_, err = c.sdk.UpdateWorkflowExecutionOptions(ctx, client.UpdateWorkflowExecutionOptionsRequest{
		WorkflowId: id, RunId: run,
		WorkflowExecutionOptionsChanges: client.WorkflowExecutionOptionsChanges{
			VersioningOverride: &client.VersioningOverrideChange{Value: &client.AutoUpgradeVersioningOverride{}},
		},
	})
	if err != nil {
		return fmt.Errorf("move workflow %s to the current version: %w", id, explainError(err))
	}
	return nil
}
