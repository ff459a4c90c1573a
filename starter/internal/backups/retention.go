package backups

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (cs Commands) holdCommand() *cobra.Command {
	var reason, location string
	c := &cobra.Command{
		Use:   "hold NAME --reason TEXT",
		Short: "Keep a backup until it is released",
		Long: `Keep a backup until it is released: neither its expiration nor 'backup delete' removes it.
That is written beside the backup in the bucket; it is not a lock against somebody who may
write there.`,
		Example:           "  lifeboat backup hold nightly-20260102020000 --reason 'audit 2026-17'",
		Args:              console.OneName("backup"),
		ValidArgsFunction: cs.backups().CompleteNames,
	}
	c.Flags().StringVar(&reason, "reason", "", "why; it is shown to whoever wants to delete the backup")
	console.BindLocation(c, &location)
	c.RunE = func(c *cobra.Command, args []string) error {
		if reason == "" {
			return errors.New("--reason: say why the backup has to stay; it is shown to whoever wants to delete it")
		}
		return cs.setRetention(c.Context(), contract.SetRetentionInput{Name: args[0], Location: location, Hold: &reason})
	}
	return c
}

func (cs Commands) releaseCommand() *cobra.Command {
	var location string
	c := &cobra.Command{
		Use:               "release NAME",
		Short:             "End the hold of a backup",
		Long:              "End the hold of a backup. If its time is over, it is deleted within the hour.",
		Example:           "  lifeboat backup release nightly-20260102020000",
		Args:              console.OneName("backup"),
		ValidArgsFunction: cs.backups().CompleteNames,
	}
	console.BindLocation(c, &location)
	c.RunE = func(c *cobra.Command, args []string) error {
		return cs.setRetention(c.Context(), contract.SetRetentionInput{Name: args[0], Location: location, Hold: new(string)})
	}
	return c
}

func (cs Commands) setExpiryCommand() *cobra.Command {
	var location string
	c := &cobra.Command{
		Use:   "set-expiry NAME TIME",
		Short: "Change when a backup expires",
		Long: `Change when a backup expires: at a time (2027-01-31T00:00:00Z), or after a duration from
now (720h). It also works where a lock protects the backup's files. However short it is
made, the last good backup of a schedule stays.`,
		Example: `  lifeboat backup set-expiry nightly-20260102020000 8760h
  lifeboat backup set-expiry nightly-20260102020000 2027-01-31T00:00:00Z`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("got %d arguments: say which backup and when it expires, as in 'lifeboat backup set-expiry nightly-20260102020000 720h'", len(args))
			}
			return nil
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return cs.CompleteNames(c, args, start)
		},
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) { // -72h looks like flags to pflag
			if d, notDuration := time.ParseDuration("-" + unknown.GetSpecifiedShortnames()); notDuration == nil {
				return expiryInThePast(d)
			}
		}
		return command.ExplainFlagError(c, err)
	})
	console.BindLocation(c, &location)
	c.RunE = func(c *cobra.Command, args []string) error {
		at, err := parseExpiry(args[1], cs.Now())
		if err != nil {
			return err
		}
		return cs.setRetention(c.Context(), contract.SetRetentionInput{Name: args[0], Location: location, Expires: &at})
	}
	return c
}

// parseExpiry reads a time, or a duration from now.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		if d < 0 {
			return time.Time{}, expiryInThePast(d)
		}
		return now.Add(d).UTC().Truncate(time.Second), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("TIME: %q is neither a duration such as 720h nor a time such as 2027-01-31T00:00:00Z", text)
	}
	return at.UTC(), nil
}

func expiryInThePast(d time.Duration) error {
	return fmt.Errorf("TIME: %s from now has passed: 0s lets the backup expire at once", d)
}

func (cs Commands) setRetention(ctx context.Context, in contract.SetRetentionInput) error {
	var res contract.RetentionResult
	err := cs.throughItsWorker(ctx, func(be console.Backend, of string) error {
		in.Cluster = of
		run, err := be.StartRetention(ctx, in)
		if err != nil {
			return err
		}
		if err := cs.FollowRun(ctx, be, run, &res); err != nil {
			return cs.FailedRun(run, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	until := "never expires"
	if !res.Expires.IsZero() {
		until = "expires at " + res.Expires.UTC().Format(time.RFC3339)
	}
	if !res.Expires.IsZero() && !res.Expires.After(cs.Now()) && res.Hold == "" {
		until += ", which has passed: the next garbage collection deletes it, unless it is the last good one of a schedule"
	}
	if res.Hold != "" {
		until += "; it is held: " + show.Clean(res.Hold)
	}
	cs.Say("Backup %q %s.\n", res.Name, until)
	return nil
}

// throughItsWorker asks another worker where the cluster that --cluster names is gone.
func (cs Commands) throughItsWorker(ctx context.Context, do func(be console.Backend, of string) error) error {
	if cs.Cluster == "" {
		return cs.WithBackend(ctx, func(be console.Backend) error { return do(be, "") })
	}
	return cs.ThroughAnyWorker(ctx, do)
}
