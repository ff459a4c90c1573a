package restores

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/input"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/noun"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
	"github.com/lifeboat-backup/lifeboat/starter/internal/stored"
)

// createExamples are those of `restore create`.
const createExamples = `  # See what it would do, then do that
  lifeboat restore create look --from-backup nightly --dry-run
  lifeboat restore create --from-backup nightly --plan look --wait

  # One namespace, under another name
  lifeboat restore create --from-backup nightly --include-namespaces shop --namespace-mappings shop:shop-copy

  # One Secret
  lifeboat restore create --from-backup nightly --include-resources secrets --include-name shop/db-credentials`

// Create is `restore create`.
func (cs Commands) Create() *cobra.Command {
	o, trust := &noun.CreateOptions{}, &fetch.Options{}
	c := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Restore a backup",
		Long: `Restore a backup, or the latest one of a schedule, wholly or in part. Without NAME the
restore is called after the backup and the time.

A dry run compares backup, cluster and result field by field and writes nothing to the
cluster. Give its name to --plan to restore what it showed; whatever has changed in
between is reported.

` + console.ExitCodesHelp,
		Example: createExamples,
		Args:    cobra.MaximumNArgs(1),
	}
	o.BindFlags(c)
	console.BindTrust(c.Flags(), trust)
	changes := input.RestoreFlags(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		return cs.createFromFlags(c.Context(), o, changes, args, *trust)
	}
	return c
}

// createFromFlags restores as a manifest and flags say, or prints the document.
func (cs Commands) createFromFlags(ctx context.Context, o *noun.CreateOptions, changes *input.Changes[contract.RestoreInput], args []string, trust fetch.Options) error {
	in, err := input.Restore(o.Source(cs.Console), changes, args, cs.Now())
	if err != nil {
		return err
	}
	if o.Out.Format != "" {
		if err := input.CheckRestoreDocument(in); err != nil {
			return err
		}
		return show.Document(cs.Stdout, o.Out.Format, manifest.RestoreDocument(in))
	}
	return cs.WithBackend(ctx, func(be console.Backend) error { return cs.startRestore(ctx, be, in, o.Wait, trust) })
}

func (cs Commands) startRestore(ctx context.Context, be console.Backend, in contract.RestoreInput, wait bool, trust fetch.Options) error {
	run, err := be.StartRestore(ctx, in)
	if err != nil {
		return err
	}
	if in.DryRun {
		return cs.dryRun(ctx, be, run, in, trust)
	}
	if wait {
		return cs.reportRestore(ctx, be, run)
	}
	return cs.GlanceAt(ctx, be, run, cs.reportRestore)
}

func (cs Commands) reportRestore(ctx context.Context, be console.Backend, run temporal.Run) error {
	res, err := cs.awaitRestore(ctx, be, run)
	if err != nil {
		return err
	}
	cs.Say("Next: lifeboat restore describe %s\n", res.Name)
	return console.PhaseOutcome(res.Phase)
}

// dryRun always waits: its output is the point of it.
func (cs Commands) dryRun(ctx context.Context, be console.Backend, run temporal.Run, in contract.RestoreInput, trust fetch.Options) error {
	res, err := cs.awaitRestore(ctx, be, run)
	if err != nil {
		return err
	}
	if res.NotStored {
		cs.Say("It would leave %s. Nothing was written, not even its plan: name a place with --results-location.\n", show.Counts(res.Counts))
		return console.PhaseOutcome(res.Phase)
	}
	plan, err := stored.OpenFile(ctx, be.Read, contract.ReadInput{
		Verb: contract.ReadRestoreURL, Name: res.Name, Location: show.Or(res.Location, in.Location), File: contract.FilePlan,
	}, trust)
	if err != nil {
		return fmt.Errorf("dry run %q is done and --plan %s follows it, but its plan cannot be shown here: %w", res.Name, res.Name, err)
	}
	defer plan.Close() //nolint:errcheck // opened to read
	if err := show.Plan(cs.Stdout, plan); err != nil {
		return err
	}
	cs.Say("Nothing was written. Next: the same command without --dry-run and with --plan %s\n", res.Name)
	return console.PhaseOutcome(res.Phase)
}
