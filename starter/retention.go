package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

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
