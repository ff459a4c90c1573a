package temporal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// Memo keys; `backup get` shows them for runs that have not reached the bucket.
const (
	memoLocation = contract.MemoLocation
	memoSelector = "selector"
	memoBackup   = "backup"
	memoDryRun   = "dryRun"
	memoLabels   = contract.MemoLabels
)

// startTimeout is how long a start may take, the SDK's own retries included.
const startTimeout = 15 * time.Second

// interruptGrace is how long an interrupt waits for the answer to a start that was asked for.
const interruptGrace = 3 * time.Second

// StartBackup starts a backup. ErrExists names the run that holds the name;
// ErrNoWorker says that nothing would take the work.
func (c *Client) StartBackup(ctx context.Context, in contract.BackupInput) (Run, error) {
	opts := c.startOptions(KindBackup, in.Name)
	opts.StaticSummary = "Backup of cluster " + c.cluster
	opts.StaticDetails = backupDetails(in)
	opts.Memo = memoFields(in.Labels, memoLocation, in.Spec.StorageLocation, memoSelector, filter.FormatSelector(in.Spec.LabelSelector, in.Spec.OrLabelSelectors))
	return c.startRun(ctx, KindBackup, in.Name, opts, in)
}

// StartRestore starts a restore; errors as StartBackup.
func (c *Client) StartRestore(ctx context.Context, in contract.RestoreInput) (Run, error) {
	source := in.Spec.BackupName
	if source == "" {
		source = "latest of schedule " + in.Spec.ScheduleName
	}
	opts := c.startOptions(KindRestore, in.Name)
	opts.StaticSummary = "Restore of " + source + " into cluster " + c.cluster
	opts.StaticDetails = restoreDetails(in)
	opts.Memo = memoFields(in.Labels, memoBackup, in.Spec.BackupName, memoLocation, in.Location)
	if in.DryRun {
		opts.StaticSummary = "Dry run: " + opts.StaticSummary
		opts.Memo[memoDryRun] = "true"
	}
	return c.startRun(ctx, KindRestore, in.Name, opts, in)
}

// StartDelete starts the deletion of a backup; errors as StartBackup. With ErrExists
// comes the run that deletes it already.
func (c *Client) StartDelete(ctx context.Context, in contract.DeleteBackupInput) (Run, error) {
	opts := c.startOptions(KindDelete, in.Name)
	opts.ID = contract.DeleteAtID(c.cluster, in.Name, in.Location)
	opts.StaticSummary = "Delete backup " + in.Name
	opts.Memo = memoFields(nil, memoLocation, in.Location)
	run, err := c.startRun(ctx, KindDelete, in.Name, opts, in)
	run.Location = in.Location
	return run, err
}

func (c *Client) startOptions(kind Kind, name string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:        kind.workflowID(c.cluster, name),
		TaskQueue: contract.TaskQueue(c.cluster),
		// A running workflow of the id holds the name; a finished one does not:
		// whether its backup exists is the bucket's to say.
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(contract.SearchCluster).ValueSet(c.cluster),
			temporal.NewSearchAttributeKeyKeyword(contract.SearchName).ValueSet(name),
			temporal.NewSearchAttributeKeyKeyword(contract.SearchPhase).ValueSet("New"),
		),
	}
}

func memoFields(labels map[string]string, pairs ...string) map[string]any {
	out := map[string]any{}
	if len(labels) > 0 {
		out[memoLabels] = labels
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out[pairs[i]] = pairs[i+1]
		}
	}
	return out
}

func (c *Client) startRun(ctx context.Context, kind Kind, name string, opts client.StartWorkflowOptions, in any) (Run, error) {
	if err := c.RequireWorker(ctx); err != nil {
		return Run{}, err
	}
	ctx, cancel := untilAnswered(ctx)
	defer cancel()
	run, err := c.sdk.ExecuteWorkflow(ctx, opts, string(kind), in)
	if lacksAttributes(err) {
		// The worker registers them where it may; where it may not, runs are
		// still found by type and task queue.
		opts.TypedSearchAttributes = temporal.SearchAttributes{}
		run, err = c.sdk.ExecuteWorkflow(ctx, opts, string(kind), in)
	}
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &running) {
		return Run{Kind: kind, Name: name, WorkflowID: opts.ID}, c.alreadyRunning(ctx, kind, name, opts.ID)
	}
	if err != nil {
		return Run{}, fmt.Errorf("start %s: %w", kind.naming(name), explainError(err))
	}
	return Run{Kind: kind, Name: name, WorkflowID: run.GetID(), RunID: run.GetRunID()}, nil
}

// untilAnswered is for a start: whoever interrupts it waits a moment for the answer, without which
// nobody could tell whether the run goes on.
func untilAnswered(ctx context.Context) (context.Context, context.CancelFunc) {
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(interruptGrace, cancel) })
	return asking, func() { stop(); cancel() }
}

func lacksAttributes(err error) bool {
	var invalid *serviceerror.InvalidArgument
	return errors.As(err, &invalid) && strings.Contains(strings.ToLower(invalid.Error()), "search attribute")
}

// alreadyRunning names the run that holds a workflow id and since when.
func (c *Client) alreadyRunning(ctx context.Context, kind Kind, name, id string) error {
	s, err := c.runByID(ctx, kind, id)
	if kind == KindDrill { // one id for all of a cluster: another drill may have it
		name = s.Name
	}
	text := kind.naming(name) + " is already running"
	if err == nil {
		text += fmt.Sprintf(" since %s (workflow %s, run %s)", s.Started.UTC().Format(time.RFC3339), s.WorkflowID, s.RunID)
	}
	return &remoteError{text: text, kind: ErrExists}
}
