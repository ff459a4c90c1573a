package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) locationCommand() *cobra.Command {
	return command.Group("location", "Show and check the storage locations of the cluster", []string{"locations", "backup-location", "backup-locations", "bsl"},
		a.locationGet(), a.storageLocations().checkCommand("Try what a storage location can do",
			`Try what a storage location can do: write, read, read a range, write only if absent,
delete. Small objects are written below plugins/lifeboat/ and deleted again. What the
store lacks is told with its consequence.

The exit code is 1 when a location cannot be used, 0 otherwise.`))
}

func (a *app) locationGet() *cobra.Command {
	return a.storageLocations().getCommand("List storage locations")
}

// storageLocations are where backups are stored.
func (a *app) storageLocations() *locations[contract.LocationStatus] {
	return &locations[contract.LocationStatus]{
		app: a,
		layout: listLayout[contract.LocationStatus]{
			word:   "location",
			name:   func(l contract.LocationStatus) string { return l.Name },
			header: []string{"NAME", "PROVIDER", "BUCKET/PREFIX", "PHASE", "LAST VALIDATED", "ACCESS MODE", "DEFAULT", "MESSAGE"},
			cells:  locationCells,
		},
		listVerb: contract.ReadLocations,
		rowsOf:   func(res contract.ReadResult) []contract.LocationStatus { return res.Locations },
		checkOf: func(l contract.LocationStatus) contract.ReadInput {
			return contract.ReadInput{Verb: contract.ReadLocationCheck, Name: l.Name, Location: l.Name}
		},
		phaseOf:      func(l contract.LocationStatus) string { return l.Phase },
		printChecked: a.printCheckedLocation,
	}
}

func locationCells(l contract.LocationStatus) []string {
	isDefault := ""
	if l.Default {
		isDefault = "true"
	}
	return []string{l.Name, l.Provider, bucketPath(l), l.Phase, validatedText(l.LastValidated), l.AccessMode, isDefault, l.Message}
}

// validatedText is Velero's column; a worker of old says nothing.
func validatedText(at *time.Time) string {
	if at == nil {
		return "Unknown"
	}
	return show.Time(*at)
}

// bucketPath is bucket and prefix as Velero's column has them.
func bucketPath(l contract.LocationStatus) string {
	return strings.TrimSuffix(l.Bucket+"/"+l.Prefix, "/")
}

func (a *app) printCheckedLocation(l contract.LocationStatus) error {
	a.say("Location %q (%s, %s): %s\n", l.Name, bucketPath(l), l.AccessMode, l.Phase)
	if l.Message != "" {
		a.say("  %s\n", l.Message)
	}
	return a.printCapabilities(l.Capabilities)
}
