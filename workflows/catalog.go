package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// readsPerRun keeps a run's history far below Temporal's limits (2,000 updates,
// 4,096 events before a continue-as-new is suggested; a read costs about 9 events).
const readsPerRun = 300

// Catalog answers the CLI's reads through ReadUpdate, so that the CLI needs
// neither cloud nor cluster credentials. One runs a cluster, for ever, renewed by
// continue-as-new; it holds no state.
func Catalog(ctx workflow.Context) error {
	reads := 0
	read := func(ctx workflow.Context, in contract.ReadInput) (contract.ReadResult, error) {
		reads++
		return runActivity(withInteractiveOptions(ctx, in.Verb+" "+in.Name), contract.ReadCatalog, in)
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, contract.ReadUpdate, read,
		workflow.UpdateHandlerOptions{Validator: validateRead})
	if err != nil {
		return err
	}
	err = workflow.Await(ctx, func() bool {
		return reads >= readsPerRun || workflow.GetInfo(ctx).GetContinueAsNewSuggested()
	})
	if err != nil {
		return err
	}
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, Catalog)
}

func validateRead(in contract.ReadInput) error {
	verbs := contract.ReadVerbs()
	if !slices.Contains(verbs, in.Verb) {
		return fmt.Errorf("verb: %q is not one of %v", in.Verb, verbs)
	}
	return nil
}
