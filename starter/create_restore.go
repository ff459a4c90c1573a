package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/input"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
	"github.com/lifeboat-backup/lifeboat/starter/internal/stored"
)

func (a *app) restoreCreate() *cobra.Command {
	o, trust := &createOptions{}, &fetch.Options{}
	c := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Restore a backup",
		Long: `Restore a backup, or the latest one of a schedule, wholly or in part. Without NAME the
restore is called after the backup and the time.

A dry run compares backup, cluster and result field by field and writes nothing to the
cluster. Give its name to --plan to restore what it showed; whatever has changed in
between is reported.

` + exitCodesHelp,
		Example: `  # See what it would do, then do that
  lifeboat restore create look --from-backup nightly --dry-run
  lifeboat restore create --from-backup nightly --plan look --wait

  # One namespace, under another name
  lifeboat restore create --from-backup nightly --include-namespaces shop --namespace-mappings shop:shop-copy

  # One Secret
  lifeboat restore create --from-backup nightly --include-resources secrets --include-name shop/db-credentials`,
		Args: cobra.MaximumNArgs(1),
	}
	o.bindFlags(c)
	bindTrust(c.Flags(), trust)
	changes := input.RestoreFlags(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		in, err := input.Restore(o.source(a), changes, args, a.now())
		if err != nil {
			return err
		}
		if o.out.format != "" {
			if err := input.CheckRestoreDocument(in); err != nil {
				return err
			}
			return show.Document(a.stdout, o.out.format, manifest.RestoreDocument(in))
		}
		return a.withBackend(c.Context(), func(be backend) error { return a.startRestore(c.Context(), be, in, o.wait, *trust) })
	}
	return c
}

func (a *app) startRestore(ctx context.Context, be backend, in contract.RestoreInput, wait bool, trust fetch.Options) error {
	run, err := be.StartRestore(ctx, in)
	if err != nil {
		return err
	}
	if in.DryRun {
		return a.dryRun(ctx, be, run, in, trust)
	}
	if wait {
		return a.reportRestore(ctx, be, run)
	}
	return a.glanceAt(ctx, be, run, a.reportRestore)
}

func (a *app) reportRestore(ctx context.Context, be backend, run temporal.Run) error {
	res, err := a.awaitRestore(ctx, be, run)
	if err != nil {
		return err
	}
	a.say("Next: lifeboat restore describe %s\n", res.Name)
	return phaseOutcome(res.Phase)
}

// dryRun always waits: its output is the point of it.
func (a *app) dryRun(ctx context.Context, be backend, run temporal.Run, in contract.RestoreInput, trust fetch.Options) error {
	res, err := a.awaitRestore(ctx, be, run)
	if err != nil {
		return err
	}
	if res.NotStored {
		a.say("It would leave %s. Nothing was written, not even its plan: name a place with --results-location.\n", show.Counts(res.Counts))
		return phaseOutcome(res.Phase)
	}
	plan, err := stored.OpenFile(ctx, be.Read, contract.ReadInput{
		Verb: contract.ReadRestoreURL, Name: res.Name, Location: show.Or(res.Location, in.Location), File: contract.FilePlan,
	}, trust)
	if err != nil {
		return fmt.Errorf("dry run %q is done and --plan %s follows it, but its plan cannot be shown here: %w", res.Name, res.Name, err)
	}
	defer plan.Close() //nolint:errcheck // opened to read
	if err := show.Plan(a.stdout, plan); err != nil {
		return err
	}
	a.say("Nothing was written. Next: the same command without --dry-run and with --plan %s\n", res.Name)
	return phaseOutcome(res.Phase)
}
