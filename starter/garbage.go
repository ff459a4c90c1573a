package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) garbageCommand() *cobra.Command {
	return command.Group("gc", "Show and delete backups whose time is over, and what nothing names any more", []string{"garbage"}, a.garbagePlan(), a.garbageRun())
}

func (a *app) garbagePlan() *cobra.Command {
	out := output{}
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show which backups would be deleted now, and why others stay",
		Long: `Show which expired backups would be deleted now, and of each of the others why it stays:
it is held, among the last good ones of its schedule, of another cluster, made by Velero,
in a ReadOnly location, or could not be deleted. It changes nothing.

It also shows orphans: snapshots, files of runs that died, unfinished uploads and other
things that Lifeboat made and that no backup and no run names any more. They go after a
grace period (retention.grace in the worker's configuration, a day).

With --cluster it also works for a cluster that is gone: any worker that has the bucket
answers.

The worker deletes them by itself within the hour, by a schedule that the Temporal UI
shows and can pause.`,
		Example: `  lifeboat gc plan
  lifeboat gc plan --cluster gone
  lifeboat gc plan -o json`,
		Args: cobra.NoArgs,
	}
	out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.throughAnyWorker(c.Context(), func(be backend, of string) error {
			res, err := a.collectGarbage(c.Context(), be, contract.CollectGarbageInput{DryRun: true, Cluster: of})
			if err != nil {
				return err
			}
			a.noteUnread(res.Plan.Unread)
			if out.isDocument() {
				return show.Document(a.stdout, out.format, garbageDocument{res.Plan, res.Orphans})
			}
			return a.printGarbage(res)
		})
	}
	return c
}

func (a *app) garbageRun() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Delete expired backups and orphans now",
		Long: `Delete the backups and orphans that 'lifeboat gc plan' shows, and wait until that is done.

` + exitCodesHelp,
		Example: "  lifeboat gc run",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.throughAnyWorker(c.Context(), func(be backend, of string) error { return a.runGarbage(c.Context(), be, of) })
		},
	}
}

// runGarbage collects and says what came of it.
func (a *app) runGarbage(ctx context.Context, be backend, of string) error {
	res, err := a.collectGarbage(ctx, be, contract.CollectGarbageInput{Cluster: of})
	if err != nil {
		return err
	}
	a.noteUnread(res.Plan.Unread)
	a.say("%s deleted with %s and %s; %s left.\n", show.Plural(int64(res.Deleted), "expired backup"), show.Plural(int64(res.Files), "file"),
		show.Plural(int64(res.Snapshots), "snapshot"), show.Plural(int64(len(res.Plan.Keep)+res.Plan.MoreKeep+res.Failed), "expired backup"))
	for _, f := range res.Errors {
		a.say("  %s in %s: %s\n", f.Name, f.Location, show.Clean(f.Error))
	}
	if err := show.RemovedOrphans(a.stdout, res, a.now()); err != nil {
		return err
	}
	a.noteUnsearched(res.Orphans)
	if res.Failed > 0 || len(res.Plan.Unread)+len(res.Orphans.Unread) > 0 {
		return outcome{codePartiallyFailed}
	}
	return nil
}

// noteUnsearched says where orphans may be that are not shown.
func (a *app) noteUnsearched(plan contract.OrphanPlan) {
	for _, text := range plan.Unread {
		a.note("warning: not searched for orphans: %s\n", show.Clean(text))
	}
}

// garbageDocument is a plan in a form for programs.
type garbageDocument struct {
	contract.GarbagePlan
	Orphans contract.OrphanPlan `json:"orphans,omitzero"`
}

// collectGarbage runs a collection and waits for it.
func (a *app) collectGarbage(ctx context.Context, be backend, in contract.CollectGarbageInput) (contract.GarbageResult, error) {
	var res contract.GarbageResult
	run, err := be.StartGarbage(ctx, in)
	if err != nil {
		return res, err
	}
	if err := a.followRun(ctx, be, run, &res); err != nil {
		return res, a.failedRun(run, err)
	}
	return res, nil
}

func (a *app) printGarbage(res contract.GarbageResult) error {
	if len(res.Plan.Delete)+len(res.Plan.Keep) == 0 {
		a.say("No backup has expired.\n")
	} else if err := show.Expired(a.stdout, res.Plan, a.now()); err != nil {
		return err
	}
	a.noteUnsearched(res.Orphans)
	if err := show.Orphans(a.stdout, res.Orphans, a.now()); err != nil {
		return err
	}
	if len(res.Plan.Delete) > 0 {
		a.say("Next: lifeboat gc run, or lifeboat backup hold NAME --reason TEXT for one that has to stay\n")
	} else if len(res.Orphans.Remove) > 0 {
		a.say("Next: lifeboat gc run\n")
	}
	return nil
}
