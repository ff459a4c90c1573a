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
	return group("location", "Show and check the storage locations of the cluster", []string{"locations"}, a.locationGet(), a.locationCheck())
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
	out.bind(c.Flags(), show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		return a.with(c.Context(), func(be backend) error { return a.getLocations(c.Context(), be, out, args) })
	}
	return c
}

func (a *app) getLocations(ctx context.Context, be backend, out output, names []string) error {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadLocations})
	if err != nil {
		return err
	}
	all, err := pick(res.Locations, names, "location", locationName)
	if err != nil {
		return err
	}
	switch {
	case out.document():
		return show.Document(a.stdout, out.format, map[string]any{"items": all})
	case out.format == show.FormatName:
		for _, l := range all {
			a.say("%s\n", l.Name)
		}
		return nil
	}
	var rows [][]string
	for _, l := range all {
		isDefault := ""
		if l.Default {
			isDefault = "true"
		}
		rows = append(rows, []string{l.Name, l.Provider, place(l), l.Phase, l.AccessMode, isDefault, l.Message})
	}
	return show.Table(a.stdout, []string{"NAME", "PROVIDER", "BUCKET/PREFIX", "PHASE", "ACCESS MODE", "DEFAULT", "MESSAGE"}, rows)
}

func locationName(l contract.LocationStatus) string { return l.Name }

// place is bucket and prefix as Velero's column has them.
func place(l contract.LocationStatus) string {
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
	out.bind(c.Flags(), show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		return a.with(c.Context(), func(be backend) error { return a.checkLocations(c.Context(), be, out, args) })
	}
	return c
}

func (a *app) checkLocations(ctx context.Context, be backend, out output, names []string) error {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadLocations})
	if err != nil {
		return err
	}
	all, err := pick(res.Locations, names, "location", locationName)
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
	return a.sayLocations(checked, out)
}

func (a *app) sayLocations(checked []contract.LocationStatus, out output) error {
	if out.document() {
		if err := show.Document(a.stdout, out.format, map[string]any{"items": checked}); err != nil {
			return err
		}
	} else if err := a.tableLocations(checked); err != nil {
		return err
	}
	return usable(checked, func(l contract.LocationStatus) string { return l.Phase })
}

// usable is the outcome of a check: an error if any location is not available.
func usable[T any](checked []T, phase func(T) string) error {
	if slices.ContainsFunc(checked, func(l T) bool { return phase(l) != "Available" }) {
		return outcome{codeError}
	}
	return nil
}

func (a *app) tableLocations(checked []contract.LocationStatus) error {
	for _, l := range checked {
		a.say("Location %q (%s, %s): %s\n", l.Name, place(l), l.AccessMode, l.Phase)
		if l.Message != "" {
			a.say("  %s\n", l.Message)
		}
		if err := a.tableCapabilities(l.Capabilities); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) tableCapabilities(all []contract.Capability) error {
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
