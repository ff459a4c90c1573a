package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

type rehearseOptions struct {
	wait bool
	in   contract.RehearseInput
	out  output
}

func (a *app) backupRehearse() *cobra.Command {
	o := &rehearseOptions{}
	c := &cobra.Command{
		Use:   "rehearse NAME",
		Short: "Prove a backup: restore all of it beside the cluster and compare",
		Long: `Prove a backup. All of its objects are restored into a control plane of their own, which a
worker starts for the purpose and which has no network, no nodes and no controllers; each is
compared with what the backup holds, and the control plane is removed. Nothing of the
cluster is touched. The result names the highest level that was reached:

  L0  every byte agrees with the manifest
  L1  an API server accepts every object
  L2  every object was created and is as the backup has it

With --kubernetes-version the control plane is of another version, of which the worker's
configuration names a binary: it shows what would not come back after an upgrade.

With -o the command waits and prints the whole result. Exit code 3 says that level 2 was not
reached, or that an error was found.

` + exitCodesHelp,
		Example: `  lifeboat backup rehearse nightly --wait
  lifeboat backup rehearse nightly --kubernetes-version 1.38 --wait
  lifeboat backup rehearse nightly -o json | jq .problems`,
		Args:              oneName("backup"),
		ValidArgsFunction: a.backups().completeNames,
	}
	c.Flags().BoolVarP(&o.wait, "wait", "w", false, "wait until it has ended, showing progress; Ctrl-C stops only the waiting")
	c.Flags().StringVar(&o.in.KubernetesVersion, "kubernetes-version", "", "minor version of the control plane, such as 1.38 (default: the worker's own)")
	bindLocation(c, &o.in.Location)
	o.out.bindFlag(c, "", show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = a.connected(func(ctx context.Context, be backend, args []string) error {
		o.in.Backup = args[0]
		return a.rehearse(ctx, be, o)
	})
	return c
}

// rehearse starts a rehearsal, or joins the one that runs already.
func (a *app) rehearse(ctx context.Context, be backend, o *rehearseOptions) error {
	run, err := be.StartRehearsal(ctx, o.in)
	wait := o.wait || o.out.format != ""
	if err != nil && (!wait || !errors.Is(err, temporal.ErrExists)) {
		return err
	}
	report := func(ctx context.Context, be backend, run temporal.Run) error {
		return a.awaitRehearsal(ctx, be, o, run)
	}
	if wait {
		return report(ctx, be, run)
	}
	return a.glanceAt(ctx, be, run, report)
}

// awaitRehearsal waits for a rehearsal and tells what it has found.
func (a *app) awaitRehearsal(ctx context.Context, be backend, o *rehearseOptions, run temporal.Run) error {
	var res contract.RehearsalResult
	if err := a.followRun(ctx, be, run, &res); err != nil {
		return a.failedRun(run, err)
	}
	var err error
	if o.out.isDocument() {
		err = show.Document(a.stdout, o.out.format, res)
	} else {
		err = show.Rehearsal(a.stdout, res)
	}
	if err == nil && (res.Level != contract.LevelEqual || res.Errors > 0) {
		return outcome{codePartiallyFailed}
	}
	return err
}
