package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) snapshotsCommand() *cobra.Command {
	return command.Group("snapshots", "Show whose the snapshots of the account are", []string{"snapshot"}, a.snapshotsExplain())
}

func (a *app) snapshotsExplain() *cobra.Command {
	out := output{}
	c := &cobra.Command{
		Use:   "explain [ID]",
		Short: "Show of each snapshot its backup, bucket and cluster, and why it is kept",
		Long: `Show of the snapshots in the accounts of the volume snapshot locations to which backup,
bucket and cluster each belongs, how large its volume is, why it is kept and until when:
those that a backup names, and those that carry a tag of Lifeboat or Velero. With an id,
of that snapshot, whosever it is.

It reads only. What nothing names any more is called an orphan; 'lifeboat gc plan' shows
what becomes of it.`,
		Example: `  lifeboat snapshots explain
  lifeboat snapshots explain snap-0123456789abcdef0
  lifeboat snapshots explain -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName)
	c.ValidArgsFunction = func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.completeWords(c, func(ctx context.Context, be backend) ([]string, error) {
			all, err := readSnapshots(ctx, be, "")
			return snapshotIDs(all), err
		})
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.throughAnyWorker(c.Context(), func(be backend, _ string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			all, err := readSnapshots(c.Context(), be, name)
			if err != nil {
				return err
			}
			return a.printSnapshots(out, all)
		})
	}
	return c
}

func (a *app) printSnapshots(out output, all []contract.SnapshotSummary) error {
	switch {
	case out.format == show.FormatName:
		for _, id := range snapshotIDs(all) {
			a.say("%s\n", id)
		}
		return nil
	case out.isDocument():
		return show.Document(a.stdout, out.format, map[string]any{"snapshots": all})
	case len(all) == 0:
		a.say("No snapshot of the account belongs to a backup. Without a volume snapshot location no account is asked.\n")
		return nil
	}
	return show.Snapshots(a.stdout, all, a.now())
}

func snapshotIDs(all []contract.SnapshotSummary) []string {
	ids := make([]string, 0, len(all))
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return ids
}

// readSnapshots reads all pages.
func readSnapshots(ctx context.Context, be backend, name string) ([]contract.SnapshotSummary, error) {
	var all []contract.SnapshotSummary
	in := contract.ReadInput{Verb: contract.ReadSnapshots, Name: name}
	for {
		res, err := be.Read(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, res.Snapshots...)
		if in.Continue = res.Continue; in.Continue == "" {
			return all, nil
		}
	}
}
