package main

import (
	"bufio"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/engine"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

type deleteOptions struct {
	confirm, all, noWait bool
	selector, location   string
}

func (a *app) backupDelete() *cobra.Command {
	o := &deleteOptions{}
	c := &cobra.Command{
		Use:   "delete [NAME...]",
		Short: "Delete backups with everything they hold",
		Long: `Delete backups with everything they hold, their volumes' snapshots included, and wait
until that is done. What is retained is told, and why: files and snapshots under a lock,
snapshots that the Recycle Bin keeps or that the CSI driver does not delete, and those
that are not the backup's own.

` + exitCodesHelp,
		Example: `  lifeboat backup delete nightly
  lifeboat backup delete -l velero.io/schedule-name=nightly --confirm
  lifeboat backup delete --all --confirm`,
		ValidArgsFunction: a.completeBackups,
	}
	c.Flags().BoolVar(&o.confirm, "confirm", false, "do not ask")
	c.Flags().BoolVar(&o.all, "all", false, "delete every backup of the cluster's storage locations")
	c.Flags().BoolVar(&o.noWait, "no-wait", false, "start the deletions and return")
	c.Flags().StringVarP(&o.selector, "selector", "l", "", "delete the backups with these labels")
	bindLocation(c, &o.location)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.check(args); err != nil {
			return err
		}
		return a.with(c.Context(), func(be backend) error { return a.deleteBackups(c.Context(), be, o, args) })
	}
	return c
}

func (o *deleteOptions) check(names []string) error {
	given := 0
	for _, way := range []bool{len(names) > 0, o.all, o.selector != ""} {
		if way {
			given++
		}
	}
	if given != 1 {
		return errors.New("say what to delete in one way: names, --selector or --all")
	}
	_, err := matching(o.selector)
	return err
}

func (a *app) deleteBackups(ctx context.Context, be backend, o *deleteOptions, names []string) error {
	if len(names) == 0 {
		found, err := be.Backups(ctx, o.selector)
		if err != nil {
			return err
		}
		for _, b := range found {
			if o.location == "" || b.Location == o.location {
				names = append(names, b.Name)
			}
		}
	}
	if len(names) == 0 {
		a.say("No backups found.\n")
		return nil
	}
	if !o.confirm {
		if err := a.ask("Delete " + strings.Join(names, ", ") + " and everything in them?"); err != nil {
			return err
		}
	}
	return a.deleteAll(ctx, be, o, names)
}

// deleteAll starts every deletion, then waits for each. One that fails does not
// keep the others; the first problem decides the exit code.
func (a *app) deleteAll(ctx context.Context, be backend, o *deleteOptions, names []string) error {
	var first error
	note := func(err error) {
		var said outcome
		if err != nil && !errors.As(err, &said) && len(names) > 1 {
			a.note("error: %v\n", err)
		}
		if first == nil {
			first = err
		}
	}
	var runs []engine.Run
	for _, name := range names {
		run, err := a.startDelete(ctx, be, name, o.location)
		note(err)
		if err == nil {
			runs = append(runs, run)
		}
	}
	for _, run := range runs {
		if o.noWait {
			a.say("Backup %q is being deleted by workflow %s.\n", run.Name, run.WorkflowID)
			continue
		}
		note(a.awaitDelete(ctx, be, run))
	}
	if first != nil && len(names) > 1 {
		return outcome{codeOf(first)}
	}
	return first
}

// startDelete starts a deletion or joins the one that runs already.
func (a *app) startDelete(ctx context.Context, be backend, name, location string) (engine.Run, error) {
	run, err := be.StartDelete(ctx, contract.DeleteBackupInput{Name: name, Location: location})
	if !errors.Is(err, engine.ErrExists) {
		return run, err
	}
	state, latestErr := be.Latest(ctx, engine.Delete, name)
	if latestErr != nil {
		return run, errors.Join(err, latestErr)
	}
	return state.Run, nil
}

func (a *app) awaitDelete(ctx context.Context, be backend, run engine.Run) error {
	var res contract.DeleteResult
	if err := a.follow(ctx, be, run, &res); err != nil {
		return a.failedRun(run, err)
	}
	a.say("Backup %q deleted: %s, %s.\n", res.Name, show.Plural(int64(res.Files), "file"), show.Plural(int64(res.Snapshots), "snapshot"))
	for _, kept := range res.Retained {
		a.say("  retained: %s\n", show.Clean(kept))
	}
	if len(res.Retained) > 0 {
		return outcome{codePartiallyFailed}
	}
	return nil
}

// ask wants a yes from standard input; no input at all is a no.
func (a *app) ask(question string) error {
	a.note("%s [y/N] ", question)
	answer, err := bufio.NewReader(a.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if err != nil {
		a.note("\n")
		return errors.New("nobody answered: nothing was deleted; pass --confirm to delete without asking")
	}
	return errors.New("not confirmed: nothing was deleted")
}
