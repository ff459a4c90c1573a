package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) garbageCommand() *cobra.Command {
	return command.Group("gc", "Show and delete backups whose time is over", []string{"garbage"}, a.garbagePlan(), a.garbageRun())
}

func (a *app) garbagePlan() *cobra.Command {
	out := output{}
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show which backups would be deleted now, and why others stay",
		Long: `Show which expired backups would be deleted now, and of each of the others why it stays:
it is held, among the last good ones of its schedule, of another cluster, made by Velero,
in a ReadOnly location, or could not be deleted. It changes nothing.

The worker deletes them by itself within the hour, by a schedule that the Temporal UI
shows and can pause.`,
		Example: `  lifeboat gc plan
  lifeboat gc plan -o json`,
		Args: cobra.NoArgs,
	}
	out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = a.connected(func(ctx context.Context, be backend, _ []string) error {
		res, err := a.collectGarbage(ctx, be, contract.CollectGarbageInput{DryRun: true})
		if err != nil {
			return err
		}
		a.noteUnread(res.Plan.Unread)
		if out.isDocument() {
			return show.Document(a.stdout, out.format, res.Plan)
		}
		return a.printGarbage(res.Plan)
	})
	return c
}

func (a *app) garbageRun() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Delete expired backups now",
		Long: `Delete the backups that 'lifeboat gc plan' shows, and wait until that is done.

` + exitCodesHelp,
		Example: "  lifeboat gc run",
		Args:    cobra.NoArgs,
		RunE: a.connected(func(ctx context.Context, be backend, _ []string) error {
			res, err := a.collectGarbage(ctx, be, contract.CollectGarbageInput{})
			if err != nil {
				return err
			}
			a.noteUnread(res.Plan.Unread)
			a.say("%s deleted with %s and %s; %s left.\n", show.Plural(int64(res.Deleted), "expired backup"), show.Plural(int64(res.Files), "file"),
				show.Plural(int64(res.Snapshots), "snapshot"), show.Plural(int64(len(res.Plan.Keep)+res.Plan.MoreKeep+res.Failed), "expired backup"))
			for _, f := range res.Errors {
				a.say("  %s in %s: %s\n", f.Name, f.Location, show.Clean(f.Error))
			}
			if res.Failed > 0 || len(res.Plan.Unread) > 0 {
				return outcome{codePartiallyFailed}
			}
			return nil
		}),
	}
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

func (a *app) printGarbage(plan contract.GarbagePlan) error {
	if len(plan.Delete)+len(plan.Keep) == 0 {
		a.say("No backup has expired.\n")
		return nil
	}
	var rows [][]string
	for _, r := range append(plan.Delete, plan.Keep...) {
		rows = append(rows, []string{r.Name, r.Location, show.Or(r.Schedule, "<none>"), show.FromNow(r.Expired, a.now()), show.Or(r.Reason, "would be deleted"), triesText(a.now(), r)})
	}
	if err := show.Table(a.stdout, []string{"NAME", "STORAGE LOCATION", "SCHEDULE", "EXPIRED", "FATE", "TRIES"}, rows); err != nil {
		return err
	}
	if more := plan.MoreDelete + plan.MoreKeep; more > 0 {
		a.say("and %d more: %d would be deleted, %d stay\n", more, plan.MoreDelete, plan.MoreKeep)
	}
	if len(plan.Delete) > 0 {
		a.say("Next: lifeboat gc run, or lifeboat backup hold NAME --reason TEXT for one that has to stay\n")
	}
	return nil
}

// triesText tells of deletions that have failed.
func triesText(now time.Time, r contract.GarbageRow) string {
	if r.Tries == 0 || r.FirstTry == nil || r.LastTry == nil {
		return ""
	}
	return fmt.Sprintf("%d, first %s, last %s", r.Tries, show.FromNow(*r.FirstTry, now), show.FromNow(*r.LastTry, now))
}
