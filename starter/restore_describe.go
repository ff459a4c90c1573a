package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) restoreDescribe() *cobra.Command {
	o := &describeOptions{}
	c := &cobra.Command{
		Use:   "describe NAME",
		Short: "Show what a restore did and how it went",
		Example: `  lifeboat restore describe nightly-20260102150405
  lifeboat restore describe nightly-20260102150405 --details`,
		Args:              oneName("restore"),
		ValidArgsFunction: a.completeRestores,
	}
	o.bind(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.out.check(); err != nil {
			return err
		}
		return a.with(c.Context(), func(be backend) error { return a.describeRestore(c.Context(), be, o, args[0]) })
	}
	return c
}

func (a *app) describeRestore(ctx context.Context, be backend, o *describeOptions, name string) error {
	if state, err := be.Latest(ctx, temporal.KindRestore, name); err == nil && state.Running {
		return a.describeState(ctx, be, state, o) // also where no worker could read the catalog
	}
	res, err := readRestore(ctx, be, name, o.location)
	if errors.Is(err, temporal.ErrNotFound) {
		return a.describeRun(ctx, be, temporal.KindRestore, name, o, err)
	}
	if err != nil {
		return err
	}
	a.noteUnread(res.Unread)
	view := show.RestoreView{Restore: *res.Restore, Volumes: volumesOf(res), Details: res.Details, Results: res.Results}
	var unlisted error // is told below what can be shown
	if o.details {
		view.Resources, unlisted = a.resourceList(ctx, be, o, contract.ReadInput{Verb: contract.ReadRestoreURL, Name: name})
	}
	if o.out.document() {
		return errors.Join(show.Document(a.stdout, o.out.format, view.Document()), unlisted)
	}
	return errors.Join(view.Print(a.stdout), unlisted)
}
