package backups

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

type deleteOptions struct {
	confirm, all, noWait bool
	ignoreLocked         bool
	selector, location   string
	of                   string // the cluster that is meant, where the worker of another one is asked
}

// Delete is `backup delete`.
func (cs Commands) Delete() *cobra.Command {
	o := &deleteOptions{}
	c := &cobra.Command{
		Use:   "delete [NAME...]",
		Short: "Delete backups with everything they hold",
		Long: `Delete backups with everything they hold, their volumes' snapshots included, and wait
until that is done. What is retained is told, and why: files and snapshots under a lock,
snapshots that the Recycle Bin keeps or that the CSI driver does not delete, and those
that are not the backup's own. A backup whose document or tarball is under a lock is not
touched at all, and the deletion has failed, unless --ignore-locked says that it may stay.

Where several storage locations have a backup of one name, say which with
--storage-location. What lies in a location that cannot be read is left, and told.

Of several clusters that share a bucket, --selector and --all leave the backups of the
others, and tell of how many; one of another cluster that is named is refused. --cluster
says which cluster is meant, also one that is gone: any worker that has the bucket answers.
What Velero made names no cluster, and is chosen.

` + console.ExitCodesHelp,
		Example: `  lifeboat backup delete nightly
  lifeboat backup delete -l velero.io/schedule-name=nightly --confirm
  lifeboat backup delete --all --confirm
  lifeboat backup delete --all --cluster gone`,
		Args:              o.checkTargets,
		ValidArgsFunction: cs.backups().CompleteNames,
	}
	c.Flags().BoolVar(&o.confirm, "confirm", false, "do not ask")
	c.Flags().BoolVar(&o.all, "all", false, "delete every backup of the cluster")
	c.Flags().BoolVar(&o.noWait, "no-wait", false, "start the deletions and return")
	c.Flags().BoolVar(&o.ignoreLocked, "ignore-locked", false, "a backup that a retention lock or a legal hold keeps is told, and no failure")
	c.Flags().StringVarP(&o.selector, "selector", "l", "", "delete the backups with these labels")
	console.BindLocation(c, &o.location)
	c.RunE = func(c *cobra.Command, args []string) error {
		return cs.throughItsWorker(c.Context(), func(be console.Backend, of string) error {
			o.of = of
			return cs.deleteBackups(c.Context(), be, o, args)
		})
	}
	return c
}

func (o *deleteOptions) checkTargets(_ *cobra.Command, names []string) error {
	given := 0
	for _, way := range []bool{len(names) > 0, o.all, o.selector != ""} {
		if way {
			given++
		}
	}
	if given != 1 {
		return errors.New("say what to delete in one way: names, --selector or --all")
	}
	for _, name := range names {
		if err := archive.ValidateBackupName(name); err != nil {
			return fmt.Errorf("backup %w; --selector and --all choose several", err)
		}
	}
	_, err := listing.ParseMatcher(o.selector)
	return err
}

// target is one backup to delete. A location that is not known is the only one that has
// a backup of the name; the worker refuses where there are several.
type target struct {
	name, location string
	label          string // what it is called before people
}

func (cs Commands) deleteBackups(ctx context.Context, be console.Backend, o *deleteOptions, names []string) error {
	targets, whole, err := cs.findTargets(ctx, be, o, names)
	if err != nil {
		return err
	}
	if len(targets) == 0 && whole {
		cs.Say("No backups found.\n")
		return nil
	}
	if !o.confirm && len(targets) > 0 {
		if err := cs.Confirm("Delete " + strings.Join(labelsOf(targets), ", ") + " and everything in them?"); err != nil {
			return err
		}
	}
	if err := cs.deleteAll(ctx, be, o, targets); err != nil || whole {
		return err
	}
	return console.Outcome{Code: console.CodePartiallyFailed} // what could not be read is left; it was named
}

// findTargets gives the named backups, or all that are found, each with its location. whole is
// false if there may be more in locations that could not be read.
func (cs Commands) findTargets(ctx context.Context, be console.Backend, o *deleteOptions, names []string) (all []target, whole bool, err error) {
	for _, name := range names {
		all = append(all, target{name: name, location: o.location, label: name})
	}
	if len(names) > 0 {
		return all, true, nil
	}
	found, err := be.Backups(ctx, o.selector, o.location)
	if err != nil {
		return nil, false, err
	}
	cs.NoteUnread(found.Unread)
	for _, b := range cs.leaveOthers(found.Rows, cmp.Or(o.of, be.Cluster())) {
		all = append(all, target{name: b.Name, location: b.Location, label: b.Name})
	}
	nameTwins(all)
	return all, len(found.Unread) == 0, nil
}

// leaveOthers leaves out the backups of other clusters than the one that is meant, and says so.
func (cs Commands) leaveOthers(rows []contract.BackupSummary, meant string) []contract.BackupSummary {
	left := map[string]int64{}
	rows = slices.DeleteFunc(slices.Clone(rows), func(b contract.BackupSummary) bool {
		other := b.Cluster != "" && b.Cluster != meant
		if other {
			left[b.Cluster]++
		}
		return other
	})
	for _, name := range slices.Sorted(maps.Keys(left)) {
		chosen := "they are chosen"
		if left[name] == 1 {
			chosen = "it is chosen"
		}
		cs.Note("%s of cluster %s left: with --cluster %s %s\n", show.Plural(left[name], "backup"), name, name, chosen)
	}
	return rows
}

// nameTwins tells backups of one name apart.
func nameTwins(all []target) {
	count := map[string]int{}
	for _, t := range all {
		count[t.name]++
	}
	for i, t := range all {
		if count[t.name] > 1 {
			all[i].label += " in " + t.location
		}
	}
}

func labelsOf(all []target) []string {
	labels := make([]string, 0, len(all))
	for _, t := range all {
		labels = append(labels, t.label)
	}
	return labels
}

// deletion is the run that deletes a target.
type deletion struct {
	target
	run temporal.Run
}

// deleteAll starts every deletion, then waits for each. One that fails does not
// keep the others; the first problem decides the exit code.
func (cs Commands) deleteAll(ctx context.Context, be console.Backend, o *deleteOptions, targets []target) error {
	var first error
	note := func(err error) {
		var said console.Outcome
		if err != nil && !errors.As(err, &said) && len(targets) > 1 {
			cs.Note("error: %v\n", err)
		}
		if first == nil {
			first = err
		}
	}
	var begun []deletion
	for _, t := range targets {
		run, err := startDelete(ctx, be, t, o.of)
		note(err)
		if err == nil {
			begun = append(begun, deletion{t, run})
		}
	}
	for _, d := range begun {
		if o.noWait {
			cs.Say("Backup %q is being deleted by workflow %s.\n", d.label, d.run.WorkflowID)
			continue
		}
		note(cs.awaitDelete(ctx, be, o, d))
	}
	if first != nil && len(targets) > 1 {
		return console.Outcome{Code: console.CodeOf(first)}
	}
	return first
}

// startDelete starts a deletion or joins the one that runs already.
func startDelete(ctx context.Context, be console.Backend, t target, of string) (temporal.Run, error) {
	run, err := be.StartDelete(ctx, contract.DeleteBackupInput{Name: t.name, Location: t.location, Cluster: of})
	if errors.Is(err, temporal.ErrExists) {
		return run, nil
	}
	return run, err
}

func (cs Commands) awaitDelete(ctx context.Context, be console.Backend, o *deleteOptions, d deletion) error {
	var res contract.DeleteResult
	err := cs.FollowRun(ctx, be, d.run, &res)
	var failed *temporal.RunError
	if o.ignoreLocked && errors.Is(err, temporal.ErrLocked) && errors.As(err, &failed) {
		cs.Say("Backup %q stays: %s\n", d.label, show.Clean(failed.Message))
		return nil
	}
	if err != nil {
		return cs.FailedRun(d.run, err)
	}
	cs.Say("Backup %q deleted: %s, %s.\n", d.label, show.Plural(int64(res.Files), "file"), show.Plural(int64(res.Snapshots), "snapshot"))
	for _, kept := range res.Retained {
		cs.Say("  retained: %s\n", show.Clean(kept))
	}
	if len(res.Retained) > 0 {
		return console.Outcome{Code: console.CodePartiallyFailed}
	}
	return nil
}
