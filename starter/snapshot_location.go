package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) snapshotLocationCommand() *cobra.Command {
	return group("snapshot-location", "Show and check where snapshots of volumes are made", []string{"snapshot-locations"},
		a.snapshotLocationGet(), a.snapshotLocationCheck())
}

func (a *app) snapshotLocationGet() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "get [NAME...]",
		Short: "List volume snapshot locations",
		Example: `  lifeboat snapshot-location get
  lifeboat snapshot-location get default -o yaml`,
		ValidArgsFunction: a.completeSnapshotLocations,
	}
	out.bind(c.Flags(), show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		return a.with(c.Context(), func(be backend) error { return a.getSnapshotLocations(c.Context(), be, out, args) })
	}
	return c
}

func (a *app) getSnapshotLocations(ctx context.Context, be backend, out output, names []string) error {
	all, err := listSnapshotLocations(ctx, be, names)
	if err != nil {
		return err
	}
	switch {
	case out.document():
		return show.Document(a.stdout, out.format, map[string]any{"items": append([]contract.SnapshotLocationStatus{}, all...)})
	case out.format == show.FormatName:
		for _, l := range all {
			a.say("%s\n", l.Name)
		}
		return nil
	case len(all) == 0:
		a.say("No snapshot locations found: volumes are snapshotted through CSI only. The worker's configuration lists them in volumeSnapshotLocations.\n")
		return nil
	}
	var rows [][]string
	for _, l := range all {
		rows = append(rows, []string{l.Name, l.Provider})
	}
	return show.Table(a.stdout, []string{"NAME", "PROVIDER"}, rows)
}

// listSnapshotLocations gives those of these names, all for none.
func listSnapshotLocations(ctx context.Context, be backend, names []string) ([]contract.SnapshotLocationStatus, error) {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshotLocations})
	if err != nil {
		return nil, err
	}
	return pick(res.SnapshotLocations, names, "snapshot-location", snapshotLocationName)
}

func snapshotLocationName(l contract.SnapshotLocationStatus) string { return l.Name }

func (a *app) snapshotLocationCheck() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "check [NAME...]",
		Short: "Try what the credentials of a snapshot location may do",
		Long: `Ask AWS who the credentials of a snapshot location are, and make every call that only
reads. Nothing is made, tagged or deleted, so whether they may do that is not tried. What
is denied is told with its consequence; deploy/iam/volumes.json has the whole policy.

The exit code is 1 when a location cannot be used, 0 otherwise.`,
		Example: `  lifeboat snapshot-location check
  lifeboat snapshot-location check default`,
		ValidArgsFunction: a.completeSnapshotLocations,
	}
	out.bind(c.Flags(), show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		return a.with(c.Context(), func(be backend) error { return a.checkSnapshotLocations(c.Context(), be, out, args) })
	}
	return c
}

func (a *app) checkSnapshotLocations(ctx context.Context, be backend, out output, names []string) error {
	all, err := listSnapshotLocations(ctx, be, names)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("snapshot location: %w: the worker's configuration has none", temporal.ErrNotFound)
	}
	checked := make([]contract.SnapshotLocationStatus, 0, len(all))
	for _, l := range all {
		res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshotLocationCheck, Name: l.Name})
		if err != nil {
			return fmt.Errorf("check snapshot location %q: %w", l.Name, err)
		}
		checked = append(checked, res.SnapshotLocations...)
	}
	if out.document() {
		err = show.Document(a.stdout, out.format, map[string]any{"items": checked})
	} else {
		err = a.tableSnapshotLocations(checked)
	}
	if err != nil {
		return err
	}
	return usable(checked, func(l contract.SnapshotLocationStatus) string { return l.Phase })
}

func (a *app) tableSnapshotLocations(checked []contract.SnapshotLocationStatus) error {
	for _, l := range checked {
		a.say("Snapshot location %q (%s, %s): %s\n", l.Name, l.Provider, l.Region, l.Phase)
		if l.Message != "" {
			a.say("  %s\n", show.Clean(l.Message))
			continue
		}
		a.say("  account %s, as %s\n", l.Account, l.Identity)
		if err := a.tableCapabilities(l.Capabilities); err != nil {
			return err
		}
	}
	return nil
}
