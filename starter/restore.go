package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

func (a *app) restoreCommand() *cobra.Command {
	return group("restore", "Restore backups, wholly or in part", []string{"restores"},
		a.restoreCreate(), a.restoreGet(), a.restoreDescribe(),
		a.logsCommand(temporal.KindRestore, contract.ReadRestoreURL, a.completeRestores),
		a.restoreWait(), a.cancelCommand(temporal.KindRestore))
}

func (a *app) restoreWait() *cobra.Command {
	return &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until a restore has ended, showing progress",
		Long: `Wait until a restore has ended, showing progress. Ctrl-C stops only the waiting.

` + exitCodesHelp,
		Example:           `  lifeboat restore wait nightly-20260102150405`,
		Args:              oneName("restore"),
		ValidArgsFunction: a.completeRunning(temporal.KindRestore),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(be backend) error { return a.waitRestore(c.Context(), be, args[0]) })
		},
	}
}

func (a *app) waitRestore(ctx context.Context, be backend, name string) error {
	state, err := be.Latest(ctx, temporal.KindRestore, name)
	if err == nil {
		return a.reportRestore(ctx, be, state.Run)
	}
	if !errors.Is(err, temporal.ErrNotFound) {
		return err
	}
	// Temporal forgets finished runs; the bucket does not.
	res, err := readRestore(ctx, be, name, "")
	if err != nil {
		return err
	}
	phase := string(res.Restore.Status.Phase)
	a.say("Restore %q ended earlier: %s.\n", name, phase)
	return finished(phase)
}

// readRestore reads a restore's document; ErrNotFound where there is none.
func readRestore(ctx context.Context, be backend, name, location string) (contract.ReadResult, error) {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadRestore, Name: name, Location: location})
	if err == nil && res.Restore == nil {
		return res, fmt.Errorf("read restore %q: the worker answered without it: are worker and CLI of one version?", name)
	}
	if err == nil {
		res.Restore.TypeMeta = restoreManifest(contract.RestoreInput{}).TypeMeta
	}
	return res, err
}
