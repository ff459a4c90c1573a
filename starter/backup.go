package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

func (a *app) backupCommand() *cobra.Command {
	return group("backup", "Take, list, inspect and delete backups", []string{"backups"},
		a.backupCreate(), a.backupGet(), a.backupDescribe(), a.backupLogs(), a.backupDownload(),
		a.backupDelete(), a.backupWait(), a.cancelCommand(temporal.KindBackup))
}

func (a *app) backupWait() *cobra.Command {
	return &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until a backup has ended, showing progress",
		Long: `Wait until a backup has ended, showing progress. Ctrl-C stops only the waiting.

` + exitCodesHelp,
		Example:           `  lifeboat backup wait nightly`,
		Args:              oneName("backup"),
		ValidArgsFunction: a.completeRunning(temporal.KindBackup),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(be backend) error { return a.waitBackup(c.Context(), be, args[0]) })
		},
	}
}

func (a *app) waitBackup(ctx context.Context, be backend, name string) error {
	state, err := be.Latest(ctx, temporal.KindBackup, name)
	if err == nil {
		return a.awaitBackup(ctx, be, state.Run)
	}
	if !errors.Is(err, temporal.ErrNotFound) {
		return err
	}
	// Temporal forgets finished runs; the bucket does not.
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadBackup, Name: name})
	if err != nil {
		return err
	}
	phase := string(res.Backup.Status.Phase)
	a.say("Backup %q ended earlier: %s.\n", name, phase)
	return finished(phase)
}

// cancelCommand is `backup cancel` and `restore cancel`.
func (a *app) cancelCommand(kind temporal.Kind) *cobra.Command {
	noun := kind.Noun()
	keeps := "Nothing of it stays behind."
	if kind == temporal.KindRestore {
		keeps = "Objects that it has made so far stay."
	}
	return &cobra.Command{
		Use:               "cancel NAME",
		Short:             "Stop a running " + noun,
		Long:              "Stop a running " + noun + " and let it clean up behind itself. " + keeps,
		Example:           "  lifeboat " + noun + " cancel nightly",
		Args:              oneName(noun),
		ValidArgsFunction: a.completeRunning(kind),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(be backend) error { return a.cancel(c.Context(), be, kind, args[0]) })
		},
	}
}

func (a *app) cancel(ctx context.Context, be backend, kind temporal.Kind, name string) error {
	state, err := be.Latest(ctx, kind, name)
	if err != nil {
		return err
	}
	noun := kind.Noun()
	if !state.Running {
		a.note("error: %s %q is not running: it is %s; see lifeboat %s describe %s\n", noun, name, state.Phase, noun, name)
		return outcome{codeNotFound}
	}
	if err := be.Cancel(ctx, state.Run); err != nil {
		return err
	}
	a.say("%s %q was asked to stop and is cleaning up.\nNext: lifeboat %s wait %s\n", title(noun), name, noun, name)
	return nil
}

// oneName wants exactly the name of a backup or restore.
func oneName(noun string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s takes the name of one %s, got %d arguments; see 'lifeboat %s get'", c.CommandPath(), noun, len(args), noun)
		}
		return nil
	}
}
