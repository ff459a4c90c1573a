// Package snapshots has the command `lifeboat snapshots explain`.
package snapshots

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// commands are those of `lifeboat snapshots`.
type commands struct{ *console.Console }

// Command is `lifeboat snapshots`.
func Command(con *console.Console) *cobra.Command {
	cs := commands{con}
	return command.Group("snapshots", "Show whose the snapshots of the account are", []string{"snapshot"}, cs.explainCommand())
}

func (cs commands) explainCommand() *cobra.Command {
	out := console.Output{}
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
	out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName)
	c.ValidArgsFunction = func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return cs.CompleteWords(c, func(ctx context.Context, be console.Backend) ([]string, error) {
			all, err := readSnapshots(ctx, be, "")
			return snapshotIDs(all), err
		})
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return cs.ThroughAnyWorker(c.Context(), func(be console.Backend, _ string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			all, err := readSnapshots(c.Context(), be, name)
			if err != nil {
				return err
			}
			return cs.printSnapshots(out, all)
		})
	}
	return c
}

func (cs commands) printSnapshots(out console.Output, all []contract.SnapshotSummary) error {
	switch {
	case out.Format == show.FormatName:
		for _, id := range snapshotIDs(all) {
			cs.Say("%s\n", id)
		}
		return nil
	case out.IsDocument():
		return show.Document(cs.Stdout, out.Format, map[string]any{"snapshots": all})
	case len(all) == 0:
		cs.Say("No snapshot of the account belongs to a backup. Without a volume snapshot location no account is asked.\n")
		return nil
	}
	return show.Snapshots(cs.Stdout, all, cs.Now())
}

func snapshotIDs(all []contract.SnapshotSummary) []string {
	ids := make([]string, 0, len(all))
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return ids
}

// readSnapshots reads all pages.
func readSnapshots(ctx context.Context, be console.Backend, name string) ([]contract.SnapshotSummary, error) {
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
