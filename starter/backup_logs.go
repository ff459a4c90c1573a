package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
)

type logsOptions struct {
	timeout  time.Duration
	location string
	trust    fetch.Options
}

// logsCommand is `backup logs` and `restore logs`.
func (a *app) logsCommand(kind temporal.Kind, verb string, complete completion) *cobra.Command {
	o, noun := &logsOptions{}, kind.Noun()
	c := &cobra.Command{
		Use:               "logs NAME",
		Short:             "Print the log of a " + noun + " that has ended",
		Example:           "  lifeboat " + noun + " logs nightly | grep level=error",
		Args:              oneName(noun),
		ValidArgsFunction: complete,
	}
	c.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "how long to try")
	bindLocation(c, &o.location)
	bindTrust(c.Flags(), &o.trust)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.with(c.Context(), func(be backend) error {
			ctx, cancel := context.WithTimeout(c.Context(), o.timeout)
			defer cancel()
			in := contract.ReadInput{Verb: verb, Name: args[0], Location: o.location, File: contract.FileLogs}
			return a.logs(ctx, be, kind, in, o.trust)
		})
	}
	return c
}

func (a *app) backupLogs() *cobra.Command {
	return a.logsCommand(temporal.KindBackup, contract.ReadBackupURL, a.completeBackups)
}

func (a *app) logs(ctx context.Context, be backend, kind temporal.Kind, in contract.ReadInput, trust fetch.Options) error {
	body, err := a.open(ctx, be, in, trust)
	if errors.Is(err, temporal.ErrNotFound) || errors.Is(err, fetch.ErrNotFound) {
		return a.noLogs(ctx, be, kind, in.Name, err)
	}
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // opened to read
	if _, err := io.Copy(a.stdout, body); err != nil {
		return fmt.Errorf("log of %s %q: %w", kind.Noun(), in.Name, err)
	}
	return nil
}

// noLogs says why there is no log: the run goes on, or failed before it had one.
func (a *app) noLogs(ctx context.Context, be backend, kind temporal.Kind, name string, missing error) error {
	state, err := be.Latest(ctx, kind, name)
	noun := kind.Noun()
	switch {
	case err == nil && state.Running:
		return fmt.Errorf("%s %q is %s: its log is written when it ends; follow it with 'lifeboat %s wait %s'",
			noun, name, state.Phase, noun, name)
	case err == nil && unstored(state):
		return fmt.Errorf("%s %q is %s and left no log; see 'lifeboat %s describe %s'", noun, name, state.Phase, noun, name)
	case errors.Is(missing, fetch.ErrNotFound):
		return fmt.Errorf("%w: %w", temporal.ErrNotFound, missing)
	default:
		return missing
	}
}
