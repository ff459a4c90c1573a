package temporal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// readTimeout is how long a person waits for a catalog read. Temporal lists a dead
// worker's polls for 5 minutes, so this is also how long its absence may take to
// show.
const readTimeout = 30 * time.Second

// checkTimeout covers a check of a location, which tries every operation; the
// worker gives up after one minute.
const checkTimeout = 75 * time.Second

// Read asks the cluster's Catalog workflow, starting it where it does not run. Of workers
// with different configurations one that has the newest answers, so that answers do not
// alternate. The answer's field of the verb is set. ErrNotFound, ErrNoWorker and ErrLost are
// told apart; other messages are the worker's.
func (c *Client) Read(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	timeout := readTimeout
	if slices.Contains([]string{contract.ReadLocationCheck, contract.ReadSnapshotLocationCheck, contract.ReadBackupCost}, in.Verb) {
		timeout = checkTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var out contract.ReadResult
	pollers, err := c.awaitPollers(ctx)
	if err != nil {
		return out, err
	}
	newest := in
	if in.Configuration == "" && Differ(pollers) {
		newest.Configuration = pollers[0].Configuration
	}
	err = c.sendRead(ctx, newest, &out)
	for try := 1; try < readTries && (wasDropped(err) || isWrongWorker(err)); try++ {
		err = c.sendRead(ctx, newest, &out)
	}
	if newest != in && isWrongWorker(err) { // the newest worker is listed and has ended
		err = c.sendRead(ctx, in, &out)
	}
	return out, c.readError(ctx, in, timeout, err)
}

// readTries bounds how often a read is sent again that an overloaded server has
// dropped, or that only workers of another configuration answered: it changes nothing, so
// it may repeat.
const readTries = 3

// isWrongWorker says that only workers of another configuration answered.
func isWrongWorker(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == contract.ErrTypeWrongWorker
}

// wasDropped says that the server dropped the update before a worker answered it.
func wasDropped(err error) bool {
	var drop *serviceerror.Aborted
	var busy *serviceerror.WorkflowNotReady
	return errors.As(err, &drop) || errors.As(err, &busy)
}

// sendRead sends one read and waits for its answer.
func (c *Client) sendRead(ctx context.Context, in contract.ReadInput, out *contract.ReadResult) error {
	handle, err := c.sdk.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: c.sdk.NewWithStartWorkflowOperation(c.catalogOptions(), contract.CatalogWorkflow),
		UpdateOptions: client.UpdateWorkflowOptions{
			WorkflowID:   contract.CatalogID(c.cluster),
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

// catalogOptions start the entity that answers reads, or find the one that runs.
func (c *Client) catalogOptions() client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       contract.CatalogID(c.cluster),
		TaskQueue:                contract.TaskQueue(c.cluster),
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            "Answers reads about the backups of cluster " + c.cluster,
	}
}

// How long a search attribute that was registered just now may be unknown to a part of the
// server, which reads them once a minute, and how often a start is tried meanwhile.
const (
	attributeGrace = time.Minute
	attributeRetry = time.Second
)

// StartCatalog starts the entity that answers reads, if it does not run yet: by it
// Clusters finds a cluster that has run nothing else. It carries its search attribute
// unless that is missing.
func (c *Client) StartCatalog(ctx context.Context, missing []string) error {
	opts := c.catalogOptions()
	if !slices.Contains(missing, contract.SearchCluster) {
		opts.TypedSearchAttributes = temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(contract.SearchCluster).ValueSet(c.cluster))
	}
	started := time.Now()
	for {
		_, err := c.sdk.ExecuteWorkflow(ctx, opts, contract.CatalogWorkflow)
		switch {
		case err == nil:
			return nil
		case !lacksAttributes(err):
			return fmt.Errorf("start the catalog of cluster %s: %w", c.cluster, err)
		case time.Since(started) > attributeGrace:
			opts.TypedSearchAttributes = temporal.SearchAttributes{}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(attributeRetry):
		}
	}
}

// readError names the read that failed, but where a worker's words do so already.
func (c *Client) readError(ctx context.Context, in contract.ReadInput, timeout time.Duration, err error) error {
	if err == nil {
		return nil
	}
	cause := explainError(err)
	var own *remoteError
	if errors.Is(cause, ErrLost) {
		return &remoteError{kind: ErrLost, text: fmt.Sprintf("read %s: %s", in.Verb, c.whoIsSilent(ctx, timeout))}
	}
	if errors.As(cause, &own) {
		return cause // the worker's words name the object already
	}
	return fmt.Errorf("read %s: %w", in.Verb, cause)
}

// whoIsSilent tells a Temporal that does not answer from a worker that does not.
func (c *Client) whoIsSilent(ctx context.Context, timeout time.Duration) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sampleTimeout)
	defer cancel()
	if _, err := c.Pollers(ctx); err != nil {
		return fmt.Sprintf("temporal at %s does not answer", c.address)
	}
	return fmt.Sprintf("no answer within %s: check that the worker of cluster %s runs", timeout, c.cluster)
}

// Listing is what a list holds, and the storage locations that could not be read for it.
type Listing[T any] struct {
	Rows   []T
	Unread []contract.UnreadLocation
}

// Backups reads every page of the catalog's backups, of one storage location or, for
// "", of all. A label selector may narrow it.
func (c *Client) Backups(ctx context.Context, selector, location string) (Listing[contract.BackupSummary], error) {
	in := contract.ReadInput{Verb: contract.ReadBackups, Selector: selector, Location: location}
	return listPages(ctx, c, in, func(page contract.ReadResult) []contract.BackupSummary { return page.Backups })
}

// Restores reads every page of the catalog's restores; parameters as of Backups.
func (c *Client) Restores(ctx context.Context, selector, location string) (Listing[contract.RestoreSummary], error) {
	in := contract.ReadInput{Verb: contract.ReadRestores, Selector: selector, Location: location}
	return listPages(ctx, c, in, func(page contract.ReadResult) []contract.RestoreSummary { return page.Restores })
}

func listPages[T any](ctx context.Context, c *Client, in contract.ReadInput, rows func(contract.ReadResult) []T) (Listing[T], error) {
	var all Listing[T]
	for {
		page, err := c.Read(ctx, in)
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
		in.Continue, in.Configuration = page.Continue, page.Configuration
	}
}
