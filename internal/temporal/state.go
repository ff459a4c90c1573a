package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// State is what Temporal knows of a run.
type State struct {
	Run
	Phase    string // as Velero names it; "Canceled" besides
	Running  bool
	Started  time.Time
	Closed   time.Time // zero while it runs
	Selector string
	Backup   string // of a restore
	DryRun   bool
	Labels   map[string]string
	// Result is that of a restore whose results are stored nowhere else.
	Result *contract.RestoreResult
}

// stateTimeout bounds the look-ups of one state.
const stateTimeout = 5 * time.Second

// Latest is the newest run of a kind and name, also one that was started by hand
// under another workflow id. ErrNotFound says that Temporal knows of none.
func (c *Client) Latest(ctx context.Context, kind Kind, name string) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	state, err := c.latestRun(ctx, kind, name)
	if err == nil {
		c.findBackupName(ctx, &state)
	}
	return state, err
}

func (c *Client) latestRun(ctx context.Context, kind Kind, name string) (State, error) {
	state, err := c.runByID(ctx, kind, kind.workflowID(c.cluster, name))
	var missing *serviceerror.NotFound
	switch {
	case err == nil:
		return state, nil
	case !errors.As(err, &missing):
		return State{}, fmt.Errorf("look up %s: %w", kind.naming(name), explainError(err))
	}
	return c.latestByName(ctx, kind, name)
}

// findBackupName reads the backup of a restore that Temporal's own program has started, and
// which has no memo therefore, from its input. What cannot be read stays unknown.
func (c *Client) findBackupName(ctx context.Context, s *State) {
	if s.Kind != KindRestore || s.Backup != "" {
		return
	}
	res, err := c.sdk.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: c.namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: s.WorkflowID, RunId: s.RunID}, MaximumPageSize: 1,
	})
	if err != nil || len(res.GetHistory().GetEvents()) == 0 {
		return
	}
	var in contract.RestoreInput
	input := res.GetHistory().GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput()
	if c.converter.FromPayloads(input, &in) == nil {
		s.Backup = in.Spec.BackupName
	}
}

// runByID is the newest run under a workflow id.
func (c *Client) runByID(ctx context.Context, kind Kind, id string) (State, error) {
	res, err := c.sdk.DescribeWorkflow(ctx, id, "")
	if err != nil {
		return State{}, err
	}
	return c.decodeState(kind, res.RawResponse.GetWorkflowExecutionInfo()), nil
}

func (c *Client) latestByName(ctx context.Context, kind Kind, name string) (State, error) {
	query := fmt.Sprintf("%s AND %s = '%s'", c.runQuery(kind), contract.SearchName, name)
	res, err := c.sdk.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 1})
	var invalid *serviceerror.InvalidArgument
	if err != nil && !errors.As(err, &invalid) { // invalid: the attribute is not registered
		return State{}, fmt.Errorf("look up %s: %w", kind.naming(name), explainError(err))
	}
	if infos := res.GetExecutions(); len(infos) > 0 {
		return c.decodeState(kind, infos[0]), nil
	}
	return State{}, &remoteError{kind: ErrNotFound, text: fmt.Sprintf("no run of %s is known to Temporal", kind.naming(name))}
}

// runQuery needs no custom attribute, so that it also works where the worker may
// not register any.
func (c *Client) runQuery(kind Kind) string {
	return fmt.Sprintf("WorkflowType = '%s' AND TaskQueue = '%s'", kind, contract.TaskQueue(c.cluster))
}

// maxListed bounds a listing of runs; older ones are in the bucket or history.
const maxListed = 1000

// maxLookups bounds how many inputs a listing of restores reads; each costs a request.
const maxLookups = 20

// Runs lists the newest run of every name of a kind, newest first; of deletions, of
// every name and location.
func (c *Client) Runs(ctx context.Context, kind Kind) ([]State, error) {
	var out []State
	seen, lookups := map[string]bool{}, maxLookups
	req := &workflowservice.ListWorkflowExecutionsRequest{Query: c.runQuery(kind), PageSize: 200}
	for len(out) < maxListed {
		res, err := c.sdk.ListWorkflow(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("list %s runs: %w", kind.Noun(), explainError(err))
		}
		for _, info := range res.GetExecutions() {
			s := c.decodeState(kind, info)
			if lookups > 0 && kind == KindRestore && s.Backup == "" {
				lookups--
				c.findBackupName(ctx, &s)
			}
			key := s.Name
			if kind == KindDelete {
				key += "/" + s.Location
			}
			if !seen[key] {
				seen[key] = true
				out = append(out, s)
			}
		}
		if req.NextPageToken = res.GetNextPageToken(); len(req.NextPageToken) == 0 {
			break
		}
	}
	return out, nil
}

// longestRun is how long a run that Temporal does not know may go on in another Temporal: no
// phase of a backup waits longer than 4 hours for an outage, and for volumes as long as the
// backup says, which are days at most.
const longestRun = 7 * 24 * time.Hour

// Closed is true only if the run has ended. One that was reset goes on as another run of its
// workflow. One that Temporal does not know, because it is another Temporal's or was ended so
// long ago that it is forgotten, has ended once no run is that old.
func (c *Connection) Closed(ctx context.Context, run contract.Run) (bool, error) {
	info, err := c.describeRun(ctx, run.WorkflowID, run.RunID)
	if err == nil && info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		var current *workflowpb.WorkflowExecutionInfo
		current, err = c.describeRun(ctx, run.WorkflowID, "")
		goesOn := current.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING && current.GetFirstRunId() != "" && current.GetFirstRunId() == info.GetFirstRunId()
		if err == nil {
			return !goesOn, nil
		}
	}
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return !run.Started.IsZero() && time.Since(run.Started) > longestRun, nil
	}
	if err != nil {
		return false, fmt.Errorf("describe workflow %s: %w", run.WorkflowID, err)
	}
	return false, nil
}

func (c *Connection) describeRun(ctx context.Context, workflowID, runID string) (*workflowpb.WorkflowExecutionInfo, error) {
	res, err := c.sdk.DescribeWorkflow(ctx, workflowID, runID)
	if err != nil {
		return nil, err
	}
	return res.RawResponse.GetWorkflowExecutionInfo(), nil
}

func (c *Client) decodeState(kind Kind, info *workflowpb.WorkflowExecutionInfo) State {
	attrs, memo := info.GetSearchAttributes().GetIndexedFields(), info.GetMemo().GetFields()
	s := State{
		Run: Run{
			Kind: kind, Name: c.decodeText(attrs[contract.SearchName]),
			WorkflowID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(),
			Location: c.decodeText(memo[memoLocation]),
		},
		Running:  info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Started:  info.GetStartTime().AsTime(),
		Phase:    phaseOf(info.GetStatus(), c.decodeText(attrs[contract.SearchPhase])),
		Selector: c.decodeText(memo[memoSelector]),
		Backup:   c.decodeText(memo[memoBackup]),
		DryRun:   c.decodeText(memo[memoDryRun]) == "true",
	}
	if p := memo[memoLabels]; p != nil && c.converter.FromPayload(p, &s.Labels) != nil {
		s.Labels = nil // not ours
	}
	if p := memo[contract.MemoResult]; p != nil && c.converter.FromPayload(p, &s.Result) != nil {
		s.Result = nil // not ours
	}
	if s.Name == "" {
		s.Name = contract.NameFromID(s.WorkflowID)
	}
	if at := info.GetCloseTime(); at != nil {
		s.Closed = at.AsTime()
	}
	return s
}

// decodeText decodes a string payload; anything else reads as "".
func (c *Client) decodeText(p *commonpb.Payload) string {
	var s string
	if p == nil || c.converter.FromPayload(p, &s) != nil {
		return ""
	}
	return s
}

// phaseOf trusts the recorded phase only as far as the run's status bears it out:
// a terminated run could not record its end.
func phaseOf(status enumspb.WorkflowExecutionStatus, recorded string) string {
	switch status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		if recorded == "" {
			return "InProgress"
		}
		return recorded
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		if recorded == "" {
			return "Completed"
		}
		return recorded
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return "Canceled"
	default:
		if recorded == "FailedValidation" {
			return recorded
		}
		return "Failed"
	}
}
