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
	return groupCommand("snapshot-location", "Show and check where snapshots of volumes are made", []string{"snapshot-locations"},
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
	out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName)
	c.RunE = a.connected(func(ctx context.Context, be backend, args []string) error {
		return a.getSnapshotLocations(ctx, be, out, args)
	})
	return c
}

func (a *app) getSnapshotLocations(ctx context.Context, be backend, out output, names []string) error {
	all, err := listSnapshotLocations(ctx, be, names)
	if err != nil {
		return err
	}
	return snapshotLocationLayout().printRows(a, out, all, func() any {
		return map[string]any{"items": append([]contract.SnapshotLocationStatus{}, all...)}
	})
}

func snapshotLocationLayout() listLayout[contract.SnapshotLocationStatus] {
	return listLayout[contract.SnapshotLocationStatus]{
		word:   "snapshot-location",
		name:   func(l contract.SnapshotLocationStatus) string { return l.Name },
		header: []string{"NAME", "PROVIDER"},
		cells:  func(l contract.SnapshotLocationStatus) []string { return []string{l.Name, l.Provider} },
		empty:  "No snapshot locations found: volumes are snapshotted through CSI only. The worker's configuration lists them in volumeSnapshotLocations.",
	}
}

// listSnapshotLocations gives those of these names, all for none.
func listSnapshotLocations(ctx context.Context, be backend, names []string) ([]contract.SnapshotLocationStatus, error) {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshotLocations})
	if err != nil {
		return nil, err
	}
	return snapshotLocationLayout().pickNamed(res.SnapshotLocations, names)
}

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
	out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = a.connected(func(ctx context.Context, be backend, args []string) error {
		return a.checkSnapshotLocations(ctx, be, out, args)
	})
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
	if out.isDocument() {
		err = show.Document(a.stdout, out.format, map[string]any{"items": checked})
	} else {
		err = a.printCheckedSnapshotLocations(checked)
	}
	if err != nil {
		return err
	}
	return checkOutcome(checked, func(l contract.SnapshotLocationStatus) string { return l.Phase })
}

func (a *app) printCheckedSnapshotLocations(checked []contract.SnapshotLocationStatus) error {
	for _, l := range checked {
		a.say("Snapshot location %q (%s, %s): %s\n", l.Name, l.Provider, l.Region, l.Phase)
		if l.Message != "" {
			a.say("  %s\n", show.Clean(l.Message))
			continue
		}
		a.say("  account %s, as %s\n", l.Account, l.Identity)
		if err := a.printCapabilities(l.Capabilities); err != nil {
			return err
		}
	}
	return nil
}
