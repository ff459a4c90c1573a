package workflows

import (
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
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

// withMissing tells a workflow which search attributes Temporal lacks.
func withMissing[In, Out any](missing func() []string, run func(workflow.Context, In) (Out, error)) func(workflow.Context, In) (Out, error) {
	return func(ctx workflow.Context, in In) (Out, error) {
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
