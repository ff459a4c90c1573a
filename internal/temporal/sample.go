package temporal

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Sample is one look at a running workflow.
type Sample struct {
	contract.Progress // with the heartbeats of pending activities added, and what they wait for
	// Trouble says what holds the run up, or the look at it: a retry, no worker,
	// a lost connection. Empty when all is well.
	Trouble string
}

// sampleTimeout bounds each of a sample's calls. A query waits for a worker, which under load takes
// seconds to answer; who follows a run is told within 5 s of one that does not.
const sampleTimeout = 4 * time.Second

// Sample looks at a run once. It fails only when the server does not answer or
// does not know the run; a run without a worker gives a sample with Trouble.
func (c *Client) Sample(ctx context.Context, run Run) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	var progress contract.Progress
	var queryErr error
	var wg sync.WaitGroup
	wg.Go(func() { progress, queryErr = c.queryProgress(ctx, run) })
	res, err := c.sdk.DescribeWorkflow(ctx, run.WorkflowID, run.RunID)
	wg.Wait()
	if err != nil {
		return Sample{}, fmt.Errorf("look at %s: %w", run.Kind.naming(run.Name), explainError(err))
	}
	out := Sample{Progress: progress}
	for _, activity := range res.RawResponse.GetPendingActivities() {
		beat := c.decodeHeartbeat(activity.GetHeartbeatDetails())
		out.Waits = cmp.Or(out.Waits, beat.Waits)
		if hasOwnObjects(activity.GetActivityType().GetName()) {
			out.Objects += beat.Objects
			out.Bytes += beat.Bytes
		}
		if out.Trouble == "" {
			out.Trouble = retryTrouble(activity)
		}
	}
	if out.Phase == "" {
		out.Phase = c.decodeState(run.Kind, res.RawResponse.GetWorkflowExecutionInfo()).Phase
	}
	if queryErr != nil && out.Trouble == "" {
		out.Trouble = c.silenceReason(ctx, queryErr)
	}
	return out, nil
}

func (c *Client) queryProgress(ctx context.Context, run Run) (contract.Progress, error) {
	var p contract.Progress
	value, err := c.sdk.QueryWorkflow(ctx, run.WorkflowID, run.RunID, contract.ProgressQuery)
	if err != nil {
		return p, err
	}
	return p, value.Get(&p)
}

// hasOwnObjects is true for the activities whose results the workflow adds to its progress.
// The others (compose, verify) pass over the same objects again.
func hasOwnObjects(activity string) bool {
	switch activity {
	case contract.ExportShard.Name, contract.ExportRelated.Name, contract.ApplyTask.Name, contract.VerifyStoredBackup.Name:
		return true
	default:
		return false
	}
}

// decodeHeartbeat decodes an activity's last details; foreign ones count as nothing.
func (c *Client) decodeHeartbeat(details *commonpb.Payloads) contract.Heartbeat {
	var beat contract.Heartbeat
	if details == nil || c.converter.FromPayloads(details, &beat) != nil {
		return contract.Heartbeat{}
	}
	return beat
}

func retryTrouble(activity *workflowpb.PendingActivityInfo) string {
	failure := activity.GetLastFailure()
	if activity.GetAttempt() < 2 || failure == nil {
		return ""
	}
	return fmt.Sprintf("%s, attempt %d: %s", activity.GetActivityType().GetName(), activity.GetAttempt(), innermostMessage(failure))
}

// innermostMessage skips the wrappings to the words of the one who knew.
func innermostMessage(f *failurepb.Failure) string {
	for f.GetCause() != nil {
		f = f.GetCause()
	}
	return f.GetMessage()
}

// silenceReason says why a run did not answer its query. It may take a moment: a worker
// that is busy or has just been started answers late.
func (c *Client) silenceReason(ctx context.Context, err error) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sampleTimeout)
	defer cancel()
	polled, pollErr := c.hasPoller(ctx)
	switch {
	case pollErr == nil && !polled:
		return c.noWorkerError().Error()
	case isConnectionLost(err):
		return fmt.Sprintf("the worker of cluster %s has not answered for %s: busy, and the run goes on; or gone, and the run goes on with the next", c.cluster, sampleTimeout)
	default:
		return explainError(err).Error()
	}
}
