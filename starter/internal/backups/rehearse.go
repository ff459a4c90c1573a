package backups

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

type rehearseOptions struct {
	wait bool
	in   contract.RehearseInput
	out  console.Output
}

func (cs Commands) rehearseCommand() *cobra.Command {
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

` + console.ExitCodesHelp,
		Example: `  lifeboat backup rehearse nightly --wait
  lifeboat backup rehearse nightly --kubernetes-version 1.38 --wait
  lifeboat backup rehearse nightly -o json | jq .problems`,
		Args:              console.OneName("backup"),
		ValidArgsFunction: cs.backups().CompleteNames,
	}
	c.Flags().BoolVarP(&o.wait, "wait", "w", false, "wait until it has ended, showing progress; Ctrl-C stops only the waiting")
	c.Flags().StringVar(&o.in.KubernetesVersion, "kubernetes-version", "", "minor version of the control plane, such as 1.38 (default: the worker's own)")
	console.BindLocation(c, &o.in.Location)
	o.out.BindFlag(c, "", show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = cs.Connected(func(ctx context.Context, be console.Backend, args []string) error {
		o.in.Backup = args[0]
		return cs.rehearse(ctx, be, o)
	})
	return c
}

// rehearse starts a rehearsal, or joins the one that runs already.
func (cs Commands) rehearse(ctx context.Context, be console.Backend, o *rehearseOptions) error {
	run, err := be.StartRehearsal(ctx, o.in)
	wait := o.wait || o.out.Format != ""
	if err != nil && (!wait || !errors.Is(err, temporal.ErrExists)) {
		return err
	}
	report := func(ctx context.Context, be console.Backend, run temporal.Run) error {
		return cs.awaitRehearsal(ctx, be, o, run)
	}
	if wait {
		return report(ctx, be, run)
	}
	return cs.GlanceAt(ctx, be, run, report)
}

// awaitRehearsal waits for a rehearsal and tells what it has found.
func (cs Commands) awaitRehearsal(ctx context.Context, be console.Backend, o *rehearseOptions, run temporal.Run) error {
	var res contract.RehearsalResult
	if err := cs.FollowRun(ctx, be, run, &res); err != nil {
		return cs.FailedRun(run, err)
	}
	var err error
	if o.out.IsDocument() {
		err = show.Document(cs.Stdout, o.out.Format, res)
	} else {
		err = show.Rehearsal(cs.Stdout, res)
	}
	if err == nil && (res.Level != contract.LevelEqual || res.Errors > 0) {
		return console.Outcome{Code: console.CodePartiallyFailed}
	}
	return err
}
