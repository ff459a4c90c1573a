package engine

import (
	"context"
	"errors"
	"fmt"
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

// Backups reads every page of the catalog's backups, of all storage locations. A
// label selector may narrow it.
func (e *Engine) Backups(ctx context.Context, selector string) ([]contract.BackupSummary, error) {
	var all []contract.BackupSummary
	in := contract.ReadInput{Verb: contract.ReadBackups, Selector: selector}
	for {
		page, err := e.Read(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Backups...)
		if page.Continue == "" || page.Continue == in.Continue {
			return all, nil
		}
		in.Continue = page.Continue
	}
}

// Restores reads every page of the catalog's restores.
func (e *Engine) Restores(ctx context.Context, selector string) ([]contract.RestoreSummary, error) {
	var all []contract.RestoreSummary
	in := contract.ReadInput{Verb: contract.ReadRestores, Selector: selector}
	for {
		page, err := e.Read(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Restores...)
		if page.Continue == "" || page.Continue == in.Continue {
			return all, nil
		}
		in.Continue = page.Continue
	}
}
