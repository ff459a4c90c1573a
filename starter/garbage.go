package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) garbageCommand() *cobra.Command {
	return groupCommand("gc", "Show and delete backups whose time is over", []string{"garbage"}, a.garbagePlan(), a.garbageRun())
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

// retentionCommands are those of `backup` that change how long one is kept.
func (a *app) retentionCommands() []*cobra.Command {
	return []*cobra.Command{a.backupHold(), a.backupRelease(), a.backupSetExpiry()}
}

func (a *app) backupHold() *cobra.Command {
	var reason, location string
	c := &cobra.Command{
		Use:   "hold NAME --reason TEXT",
		Short: "Keep a backup until it is released",
		Long: `Keep a backup until it is released: neither its expiration nor 'backup delete' removes it.
That is written beside the backup in the bucket; it is not a lock against somebody who may
write there.`,
		Example:           "  lifeboat backup hold nightly-20260102020000 --reason 'audit 2026-17'",
		Args:              oneName("backup"),
		ValidArgsFunction: a.backups().completeNames,
	}
	c.Flags().StringVar(&reason, "reason", "", "why; it is shown to whoever wants to delete the backup")
	bindLocation(c, &location)
	c.RunE = a.connected(func(ctx context.Context, be backend, args []string) error {
		if reason == "" {
			return fmt.Errorf("--reason: say why the backup has to stay; it is shown to whoever wants to delete it")
		}
		return a.setRetention(ctx, be, contract.SetRetentionInput{Name: args[0], Location: location, Hold: &reason})
	})
	return c
}

func (a *app) backupRelease() *cobra.Command {
	var location string
	c := &cobra.Command{
		Use:               "release NAME",
		Short:             "End the hold of a backup",
		Long:              "End the hold of a backup. If its time is over, it is deleted within the hour.",
		Example:           "  lifeboat backup release nightly-20260102020000",
		Args:              oneName("backup"),
		ValidArgsFunction: a.backups().completeNames,
	}
	bindLocation(c, &location)
	c.RunE = a.connected(func(ctx context.Context, be backend, args []string) error {
		return a.setRetention(ctx, be, contract.SetRetentionInput{Name: args[0], Location: location, Hold: new(string)})
	})
	return c
}

func (a *app) backupSetExpiry() *cobra.Command {
	var location string
	c := &cobra.Command{
		Use:   "set-expiry NAME TIME",
		Short: "Change when a backup expires",
		Long: `Change when a backup expires: at a time (2027-01-31T00:00:00Z), or after a duration from
now (720h). It also works where a lock protects the backup's files. However short it is
made, the last good backup of a schedule stays.`,
		Example: `  lifeboat backup set-expiry nightly-20260102020000 8760h
  lifeboat backup set-expiry nightly-20260102020000 2027-01-31T00:00:00Z`,
		Args: cobra.ExactArgs(2),
	}
	bindLocation(c, &location)
	c.RunE = a.connected(func(ctx context.Context, be backend, args []string) error {
		at, err := parseExpiry(args[1], a.now())
		if err != nil {
			return err
		}
		return a.setRetention(ctx, be, contract.SetRetentionInput{Name: args[0], Location: location, Expires: &at})
	})
	return c
}

// parseExpiry reads a time, or a duration from now.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(d).UTC().Truncate(time.Second), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("TIME: %q is neither a duration such as 720h nor a time such as 2027-01-31T00:00:00Z", text)
	}
	return at.UTC(), nil
}

func (a *app) setRetention(ctx context.Context, be backend, in contract.SetRetentionInput) error {
	run, err := be.StartRetention(ctx, in)
	if err != nil {
		return err
	}
	var res contract.RetentionResult
	if err := a.followRun(ctx, be, run, &res); err != nil {
		return a.failedRun(run, err)
	}
	until := "never expires"
	if !res.Expires.IsZero() {
		until = "expires at " + res.Expires.UTC().Format(time.RFC3339)
	}
	if res.Hold != "" {
		until += "; it is held: " + show.Clean(res.Hold)
	}
	a.say("Backup %q %s.\n", res.Name, until)
	return nil
}
