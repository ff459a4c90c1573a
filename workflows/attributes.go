package workflows

import (
	"encoding/json"
	"slices"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// attribute is a search attribute and the value that a run gives it.
type attribute struct {
	name  string
	value temporal.SearchAttributeUpdate
}

// upsertAttributes leaves out what Temporal lacked when the run began: a workflow task that
// sets an unknown attribute fails for ever.
func (p *progress) upsertAttributes(ctx workflow.Context, all ...attribute) error {
	var known []temporal.SearchAttributeUpdate
	for _, a := range all {
		if !slices.Contains(p.missing, a.name) {
			known = append(known, a.value)
		}
	}
	if len(known) == 0 {
		return nil
	}
	return workflow.UpsertTypedSearchAttributes(ctx, known...)
}

// missingKey is the key of the function that withMissing puts into a workflow's context.
type missingKey struct{}

// withMissing tells a workflow which search attributes Temporal lacks. It decodes the input,
// for the SDK puts its own words around the cause four times.
func withMissing[In, Out any](missing func() []string, run func(workflow.Context, In) (Out, error)) func(workflow.Context, converter.RawValue) (Out, error) {
	return func(ctx workflow.Context, raw converter.RawValue) (Out, error) {
		var in In
		if data := raw.Payload().GetData(); len(data) > 0 {
			if err := json.Unmarshal(data, &in); err != nil {
				var none Out
				return none, temporal.NewNonRetryableApplicationError(err.Error(), contract.ErrTypeInvalid, nil)
			}
		}
		return run(workflow.WithValue(ctx, missingKey{}, missing), in)
	}
}

// recordMissing records in the run's history which search attributes Temporal lacks, so that
// a replay sets the same ones, whatever was registered since. Runs of earlier versions set all.
func recordMissing(ctx workflow.Context) []string {
	if workflow.GetVersion(ctx, "missing search attributes", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return nil
	}
	var missing []string
	err := workflow.SideEffect(ctx, func(ctx workflow.Context) any {
		if look, ok := ctx.Value(missingKey{}).(func() []string); ok && look != nil {
			return look()
		}
		return missing
	}).Get(&missing)
	if err != nil {
		return nil // recorded by this code as a list of names
	}
	return missing
}
