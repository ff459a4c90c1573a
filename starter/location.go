package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) locationCommand() *cobra.Command {
	return groupCommand("location", "Show and check the storage locations of the cluster", []string{"locations"}, a.locationGet(), a.locationCheck())
}

func (a *app) locationGet() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "get [NAME...]",
		Short: "List storage locations",
		Example: `  lifeboat location get
  lifeboat location get default -o yaml`,
		ValidArgsFunction: a.completeLocations,
	}
	out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName)
	c.RunE = a.connected(func(ctx context.Context, be backend, args []string) error {
		return a.getLocations(ctx, be, out, args)
	})
	return c
}

func (a *app) getLocations(ctx context.Context, be backend, out output, names []string) error {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadLocations})
	if err != nil {
		return err
	}
	all, err := locationLayout().pickNamed(res.Locations, names)
	if err != nil {
		return err
	}
	return locationLayout().printRows(a, out, all, func() any { return map[string]any{"items": all} })
}

func locationLayout() listLayout[contract.LocationStatus] {
	return listLayout[contract.LocationStatus]{
		word:   "location",
		name:   func(l contract.LocationStatus) string { return l.Name },
		header: []string{"NAME", "PROVIDER", "BUCKET/PREFIX", "PHASE", "ACCESS MODE", "DEFAULT", "MESSAGE"},
		cells: func(l contract.LocationStatus) []string {
			isDefault := ""
			if l.Default {
				isDefault = "true"
			}
			return []string{l.Name, l.Provider, bucketPath(l), l.Phase, l.AccessMode, isDefault, l.Message}
		},
	}
}

// bucketPath is bucket and prefix as Velero's column has them.
func bucketPath(l contract.LocationStatus) string {
	return strings.TrimSuffix(l.Bucket+"/"+l.Prefix, "/")
}

func (a *app) locationCheck() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "check [NAME...]",
		Short: "Try what a storage location can do",
		Long: `Try what a storage location can do: write, read, read a range, write only if absent,
delete. Small objects are written below plugins/lifeboat/ and deleted again. What the
store lacks is told with its consequence.

The exit code is 1 when a location cannot be used, 0 otherwise.`,
		Example: `  lifeboat location check
  lifeboat location check default`,
		ValidArgsFunction: a.completeLocations,
	}
	out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = a.connected(func(ctx context.Context, be backend, args []string) error {
		return a.checkLocations(ctx, be, out, args)
	})
	return c
}

func (a *app) checkLocations(ctx context.Context, be backend, out output, names []string) error {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadLocations})
	if err != nil {
		return err
	}
	all, err := locationLayout().pickNamed(res.Locations, names)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("location: %w: the worker's configuration has none", temporal.ErrNotFound)
	}
	checked := make([]contract.LocationStatus, 0, len(all))
	for _, l := range all {
		res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadLocationCheck, Name: l.Name, Location: l.Name})
		if err != nil {
			return fmt.Errorf("check location %q: %w", l.Name, err)
		}
		checked = append(checked, res.Locations...)
	}
	return a.printChecks(checked, out)
}

func (a *app) printChecks(checked []contract.LocationStatus, out output) error {
	if out.isDocument() {
		if err := show.Document(a.stdout, out.format, map[string]any{"items": checked}); err != nil {
			return err
		}
	} else if err := a.printCheckedLocations(checked); err != nil {
		return err
	}
	return checkOutcome(checked, func(l contract.LocationStatus) string { return l.Phase })
}

// checkOutcome is the outcome of a check: an error if any location is not available.
func checkOutcome[T any](checked []T, phase func(T) string) error {
	if slices.ContainsFunc(checked, func(l T) bool { return phase(l) != "Available" }) {
		return outcome{codeError}
	}
	return nil
}

func (a *app) printCheckedLocations(checked []contract.LocationStatus) error {
	for _, l := range checked {
		a.say("Location %q (%s, %s): %s\n", l.Name, bucketPath(l), l.AccessMode, l.Phase)
		if l.Message != "" {
			a.say("  %s\n", l.Message)
		}
		if err := a.printCapabilities(l.Capabilities); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printCapabilities(all []contract.Capability) error {
	var rows [][]string
	for _, c := range all {
		ok := "yes"
		if !c.OK {
			ok = "no"
		}
		rows = append(rows, []string{c.Name, ok, c.Detail, c.Consequence})
	}
	return show.Table(a.stdout, []string{"CAPABILITY", "OK", "DETAIL", "CONSEQUENCE"}, rows)
}
