package harness

import (
	"context"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
)

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
