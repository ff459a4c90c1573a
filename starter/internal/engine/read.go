package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// readTimeout is how long a person waits for a catalog read. Temporal lists a dead
// worker's polls for 5 minutes, so this is also how long its absence may take to
// show.
const readTimeout = 30 * time.Second

// checkTimeout covers a check of a location, which tries every operation; the
// worker gives up after one minute.
const checkTimeout = 75 * time.Second

// Read asks the cluster's Catalog workflow, starting it where it does not run.
// The answer's field of the verb is set. ErrNotFound, ErrNoWorker and ErrLost are
// told apart; other messages are the worker's.
func (e *Engine) Read(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	timeout := readTimeout
	if in.Verb == contract.ReadLocationCheck || in.Verb == contract.ReadSnapshotLocationCheck {
		timeout = checkTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var out contract.ReadResult
	if err := e.RequireWorker(ctx); err != nil {
		return out, err
	}
	err := e.ask(ctx, in, &out)
	for try := 1; try < readTries && aborted(err); try++ {
		err = e.ask(ctx, in, &out)
	}
	return out, e.readError(in, timeout, err)
}

// readTries bounds how often a read is sent again that an overloaded server has
// dropped: it changes nothing, so it may repeat.
const readTries = 3

// aborted says that the server dropped the update before a worker answered it.
func aborted(err error) bool {
	var drop *serviceerror.Aborted
	var busy *serviceerror.WorkflowNotReady
	return errors.As(err, &drop) || errors.As(err, &busy)
}

// ask sends one read and waits for its answer.
func (e *Engine) ask(ctx context.Context, in contract.ReadInput, out *contract.ReadResult) error {
	handle, err := e.c.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: e.c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
			ID:                       contract.CatalogID(e.cluster),
			TaskQueue:                contract.TaskQueue(e.cluster),
			WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			StaticSummary:            "Answers reads about the backups of cluster " + e.cluster,
		}, contract.CatalogWorkflow),
		UpdateOptions: client.UpdateWorkflowOptions{
			WorkflowID:   contract.CatalogID(e.cluster),
			UpdateName:   contract.ReadUpdate,
			Args:         []any{in},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err != nil {
		return err
	}
	return handle.Get(ctx, out)
}

func (e *Engine) readError(in contract.ReadInput, timeout time.Duration, err error) error {
	if err == nil {
		return nil
	}
	cause := explain(err)
	var own *said
	if errors.Is(cause, ErrLost) {
		return fmt.Errorf("read %s: no answer within %s: check that the worker of cluster %s runs: %w", in.Verb, timeout, e.cluster, cause)
	}
	if errors.As(cause, &own) {
		return cause // the worker's words name the object already
	}
	return fmt.Errorf("read %s: %w", in.Verb, cause)
}

// Listing is what a list holds, and the storage locations that could not be read for it.
type Listing[T any] struct {
	Rows   []T
	Unread []contract.UnreadLocation
}

// Backups reads every page of the catalog's backups, of one storage location or, for
// "", of all. A label selector may narrow it.
func (e *Engine) Backups(ctx context.Context, selector, location string) (Listing[contract.BackupSummary], error) {
	in := contract.ReadInput{Verb: contract.ReadBackups, Selector: selector, Location: location}
	return list(ctx, e, in, func(page contract.ReadResult) []contract.BackupSummary { return page.Backups })
}

// Restores reads every page of the catalog's restores; parameters as of Backups.
func (e *Engine) Restores(ctx context.Context, selector, location string) (Listing[contract.RestoreSummary], error) {
	in := contract.ReadInput{Verb: contract.ReadRestores, Selector: selector, Location: location}
	return list(ctx, e, in, func(page contract.ReadResult) []contract.RestoreSummary { return page.Restores })
}

func list[T any](ctx context.Context, e *Engine, in contract.ReadInput, rows func(contract.ReadResult) []T) (Listing[T], error) {
	var all Listing[T]
	for {
		page, err := e.Read(ctx, in)
		if err != nil {
			return Listing[T]{}, err
		}
		all.Rows = append(all.Rows, rows(page)...)
		for _, u := range page.Unread {
			if !slices.ContainsFunc(all.Unread, func(known contract.UnreadLocation) bool { return known.Name == u.Name }) {
				all.Unread = append(all.Unread, u)
			}
		}
		if page.Continue == "" || page.Continue == in.Continue {
			return all, nil
		}
		in.Continue = page.Continue
	}
}
