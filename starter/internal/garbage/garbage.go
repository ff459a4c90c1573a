// Package garbage has the commands of `lifeboat gc`.
package garbage

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// commands are those of `lifeboat gc`.
type commands struct{ *console.Console }

// Command is `lifeboat gc`.
func Command(con *console.Console) *cobra.Command {
	cs := commands{con}
	return command.Group("gc", "Show and delete backups whose time is over, and what nothing names any more", []string{"garbage"}, cs.planCommand(), cs.runCommand())
}

func (cs commands) planCommand() *cobra.Command {
	out := console.Output{}
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show which backups would be deleted now, and why others stay",
		Long: `Show which expired backups would be deleted now, and of each of the others why it stays:
it is held, among the last good ones of its schedule, of another cluster, made by Velero,
in a ReadOnly location, or could not be deleted. It changes nothing.

It also shows orphans: snapshots, files of runs that died, unfinished uploads and other
things that Lifeboat made and that no backup and no run names any more. They go after a
grace period (retention.grace in the worker's configuration, a day).

With --cluster it also works for a cluster that is gone: any worker that has the bucket
answers.

The worker deletes them by itself within the hour, by a schedule that the Temporal UI
shows and can pause.`,
		Example: `  lifeboat gc plan
  lifeboat gc plan --cluster gone
  lifeboat gc plan -o json`,
		Args: cobra.NoArgs,
	}
	out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return cs.ThroughAnyWorker(c.Context(), func(be console.Backend, of string) error {
			res, err := cs.collectGarbage(c.Context(), be, contract.CollectGarbageInput{DryRun: true, Cluster: of})
			if err != nil {
				return err
			}
			cs.NoteUnread(res.Plan.Unread)
			if out.IsDocument() {
				return show.Document(cs.Stdout, out.Format, garbageDocument{res.Plan, res.Orphans})
			}
			return cs.printGarbage(res)
		})
	}
	return c
}

func (cs commands) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Delete expired backups and orphans now",
		Long: `Delete the backups and orphans that 'lifeboat gc plan' shows, and wait until that is done.

` + console.ExitCodesHelp,
		Example: "  lifeboat gc run\n  lifeboat gc run --cluster gone",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return cs.ThroughAnyWorker(c.Context(), func(be console.Backend, of string) error { return cs.runGarbage(c.Context(), be, of) })
		},
	}
}

// runGarbage collects and says what came of it.
func (cs commands) runGarbage(ctx context.Context, be console.Backend, of string) error {
	res, err := cs.collectGarbage(ctx, be, contract.CollectGarbageInput{Cluster: of})
	if err != nil {
		return err
	}
	cs.NoteUnread(res.Plan.Unread)
	cs.Say("%s deleted with %s and %s; %s left.\n", show.Plural(int64(res.Deleted), "expired backup"), show.Plural(int64(res.Files), "file"),
		show.Plural(int64(res.Snapshots), "snapshot"), show.Plural(int64(len(res.Plan.Keep)+res.Plan.MoreKeep+res.Failed), "expired backup"))
	for _, f := range res.Errors {
		cs.Say("  %s in %s: %s\n", f.Name, f.Location, show.Clean(f.Error))
	}
	if err := show.RemovedOrphans(cs.Stdout, res, "lifeboat gc plan"+cs.clusterFlag(), cs.Now()); err != nil {
		return err
	}
	cs.noteUnsearched(res.Orphans)
	if res.Failed > 0 || len(res.Plan.Unread)+len(res.Orphans.Unread) > 0 {
		return console.Outcome{Code: console.CodePartiallyFailed}
	}
	return nil
}

// noteUnsearched says where orphans may be that are not shown.
func (cs commands) noteUnsearched(plan contract.OrphanPlan) {
	for _, text := range plan.Unread {
		cs.Note("warning: not searched for orphans: %s\n", show.Clean(text))
	}
}

// garbageDocument is a plan in a form for programs.
type garbageDocument struct {
	contract.GarbagePlan
	Orphans contract.OrphanPlan `json:"orphans,omitzero"`
}

// collectGarbage runs a collection and waits for it.
func (cs commands) collectGarbage(ctx context.Context, be console.Backend, in contract.CollectGarbageInput) (contract.GarbageResult, error) {
	var res contract.GarbageResult
	run, err := be.StartGarbage(ctx, in)
	if err != nil {
		return res, err
	}
	if err := cs.FollowRun(ctx, be, run, &res); err != nil {
		return res, cs.FailedRun(run, err)
	}
	return res, nil
}

// clusterFlag repeats in the words of another command that a cluster was named.
func (cs commands) clusterFlag() string {
	if cs.Cluster == "" {
		return ""
	}
	return " --cluster " + cs.Cluster
}

// printGarbage prints a plan, and what to say next.
func (cs commands) printGarbage(res contract.GarbageResult) error {
	if len(res.Plan.Delete)+len(res.Plan.Keep) == 0 {
		cs.Say("No backup has expired.\n")
	} else if err := show.Expired(cs.Stdout, res.Plan, cs.Now()); err != nil {
		return err
	}
	cs.noteUnsearched(res.Orphans)
	if err := show.Orphans(cs.Stdout, res.Orphans, cs.Now()); err != nil {
		return err
	}
	if len(res.Plan.Delete) > 0 {
		cs.Say("Next: lifeboat gc run%s, or lifeboat backup hold NAME --reason TEXT%s for one that has to stay\n", cs.clusterFlag(), cs.clusterFlag())
	} else if len(res.Orphans.Remove) > 0 {
		cs.Say("Next: lifeboat gc run%s\n", cs.clusterFlag())
	}
	return nil
}
