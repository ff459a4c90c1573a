package locations

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// StorageCommand is `lifeboat location`.
func (cs Commands) StorageCommand() *cobra.Command {
	return command.Group("location", "Show and check the storage locations of the cluster", []string{"locations", "backup-location", "backup-locations", "bsl"},
		cs.GetStorage(), cs.storageLocations().checkCommand("Try what a storage location can do",
			`Try what a storage location can do: write, read, read a range, write only if absent,
delete. Small objects are written below plugins/lifeboat/ and deleted again. What the
store lacks is told with its consequence.

The exit code is 1 when a location cannot be used, 0 otherwise.`))
}

// GetStorage is `location get`.
func (cs Commands) GetStorage() *cobra.Command {
	return cs.storageLocations().getCommand("List storage locations")
}

// storageLocations are where backups are stored.
func (cs Commands) storageLocations() *locations[contract.LocationStatus] {
	return &locations[contract.LocationStatus]{
		Console: cs.Console,
		layout: console.Layout[contract.LocationStatus]{
			Word:   "location",
			Name:   func(l contract.LocationStatus) string { return l.Name },
			Header: []string{"NAME", "PROVIDER", "BUCKET/PREFIX", "PHASE", "LAST VALIDATED", "ACCESS MODE", "DEFAULT", "MESSAGE"},
			Cells:  locationCells,
		},
		listVerb: contract.ReadLocations,
		rowsOf:   func(res contract.ReadResult) []contract.LocationStatus { return res.Locations },
		checkOf: func(l contract.LocationStatus) contract.ReadInput {
			return contract.ReadInput{Verb: contract.ReadLocationCheck, Name: l.Name, Location: l.Name}
		},
		phaseOf:      func(l contract.LocationStatus) string { return l.Phase },
		printChecked: cs.printCheckedLocation,
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

func (cs Commands) printCheckedLocation(l contract.LocationStatus) error {
	cs.Say("Location %q (%s, %s): %s\n", l.Name, bucketPath(l), l.AccessMode, l.Phase)
	if l.Message != "" {
		cs.Say("  %s\n", l.Message)
	}
	return cs.printCapabilities(l.Capabilities)
}
