package harness

import (
	"context"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
)

// StartDrill starts the drill of a document as `temporal workflow start` does, and does not wait.
func (h *Harness) StartDrill(ctx context.Context, document string) error {
	var d definition.Drill
	if err := yaml.UnmarshalStrict([]byte(document), &d); err != nil {
		return err
	}
	_, err := h.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: contract.DrillID(h.Cluster), TaskQueue: contract.TaskQueue(h.Cluster)},
		contract.DrillWorkflow, contract.DrillInput{Name: d.Metadata.Name, Spec: d.Spec})
	return err
}

// AtEach follows the last run of a workflow by its history, and does something as soon as an activity
// is asked for that is in the list, once an activity. It returns, in their order, those it was done
// in when the run has ended.
func (h *Harness) AtEach(ctx context.Context, workflow string, activities []string, do func() error) (done []string, err error) {
	history := h.Temporal.GetWorkflowHistory(ctx, workflow, "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			return done, err
		}
		name := event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
		if name == "" || !slices.Contains(activities, name) || slices.Contains(done, name) {
			continue
		}
		done = append(done, name)
		if err := do(); err != nil {
			return done, err
		}
	}
	return done, nil
}
