package temporal

import (
	"context"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// A lock of a run that has ended can be taken over, also where Temporal has forgotten the run.
// One that was reset goes on under another run id.
func TestClosed(t *testing.T) {
	const running, terminated = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	of := func(run, first string, status enumspb.WorkflowExecutionStatus) *workflowpb.WorkflowExecutionInfo {
		return &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: "w", RunId: run}, FirstRunId: first, Status: status}
	}
	for name, tc := range map[string]struct {
		holder, current *workflowpb.WorkflowExecutionInfo // nil: not known
		age             time.Duration
		want            bool
	}{
		"runs":                {of("a", "a", running), of("a", "a", running), time.Hour, false},
		"ended":               {of("a", "a", terminated), of("a", "a", terminated), time.Hour, true},
		"ended, another runs": {of("a", "a", terminated), of("b", "b", running), time.Hour, true},
		"was reset":           {of("a", "a", terminated), of("b", "a", running), time.Hour, false},
		"was reset and ended": {of("a", "a", terminated), of("b", "a", terminated), time.Hour, true},
		"of another Temporal": {nil, nil, time.Hour, false},
		"forgotten":           {nil, nil, 8 * 24 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Connection{sdk: knownRuns{runs: map[string]*workflowpb.WorkflowExecutionInfo{"a": tc.holder, "": tc.current}}}
			got, err := c.Closed(t.Context(), contract.Run{WorkflowID: "w", RunID: "a", Started: time.Now().Add(-tc.age)})
			if err != nil || got != tc.want {
				t.Errorf("closed %t, want %t, %v", got, tc.want, err)
			}
		})
	}
}

// knownRuns is a Temporal that knows these runs, by run id.
type knownRuns struct {
	client.Client
	runs map[string]*workflowpb.WorkflowExecutionInfo
}

func (k knownRuns) DescribeWorkflow(_ context.Context, _, runID string) (*client.WorkflowExecutionDescription, error) {
	if k.runs[runID] == nil {
		return nil, serviceerror.NewNotFound("gone")
	}
	return &client.WorkflowExecutionDescription{RawResponse: &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: k.runs[runID]}}, nil
}
