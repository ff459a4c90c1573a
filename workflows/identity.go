package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// nameOf names a run that was started by hand without a name: by its workflow id
// where that has our form, else by kind and start time.
func nameOf(info *workflow.Info, kind string) string {
	if name := contract.NameFromID(info.WorkflowExecution.ID); name != "" {
		return name
	}
	return kind + "-" + info.WorkflowStartTime.UTC().Format("20060102150405") + "-" + info.OriginalRunID[:4]
}

func runOf(info *workflow.Info) contract.Run {
	return contract.Run{
		WorkflowID: info.WorkflowExecution.ID,
		RunID:      info.OriginalRunID,
		Cluster:    contract.ClusterOf(info.TaskQueueName),
		Started:    info.WorkflowStartTime.UTC(),
	}
}

func asApplication(err error, target **temporal.ApplicationError) bool {
	return errors.As(err, target)
}
