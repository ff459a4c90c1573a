package main

import (
	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) snapshotLocationCommand() *cobra.Command {
	return command.Group("snapshot-location", "Show and check where snapshots of volumes are made", []string{"snapshot-locations", "vsl"},
		a.snapshotLocationGet(), a.snapshotLocations().checkCommand("Try what the credentials of a snapshot location may do",
			`Ask AWS who the credentials of a snapshot location are, and make every call that only
reads. Nothing is made, tagged or deleted, so whether they may do that is not tried. What
is denied is told with its consequence; deploy/iam/volumes.json has the whole policy.

The exit code is 1 when a location cannot be used, 0 otherwise.`))
}

func (a *app) snapshotLocationGet() *cobra.Command {
	return a.snapshotLocations().getCommand("List volume snapshot locations")
}

// snapshotLocations are where snapshots are made by the API of EBS.
func (a *app) snapshotLocations() *locations[contract.SnapshotLocationStatus] {
	return &locations[contract.SnapshotLocationStatus]{
		app: a,
		layout: listLayout[contract.SnapshotLocationStatus]{
			word:   "snapshot-location",
			name:   func(l contract.SnapshotLocationStatus) string { return l.Name },
			header: []string{"NAME", "PROVIDER"},
			cells:  func(l contract.SnapshotLocationStatus) []string { return []string{l.Name, l.Provider} },
			empty:  "No snapshot locations found: volumes are snapshotted through CSI only. The worker's configuration lists them in volumeSnapshotLocations.",
		},
		listVerb: contract.ReadSnapshotLocations,
		rowsOf:   func(res contract.ReadResult) []contract.SnapshotLocationStatus { return res.SnapshotLocations },
		checkOf: func(l contract.SnapshotLocationStatus) contract.ReadInput {
			return contract.ReadInput{Verb: contract.ReadSnapshotLocationCheck, Name: l.Name}
		},
		phaseOf:      func(l contract.SnapshotLocationStatus) string { return l.Phase },
		printChecked: a.printCheckedSnapshotLocation,
	}
}

func (a *app) printCheckedSnapshotLocation(l contract.SnapshotLocationStatus) error {
	a.say("Snapshot location %q (%s, %s): %s\n", l.Name, l.Provider, l.Region, l.Phase)
	if l.Message != "" {
		a.say("  %s\n", show.Clean(l.Message))
		return nil
	}
	a.say("  account %s, as %s\n", l.Account, l.Identity)
	return a.printCapabilities(l.Capabilities)
}
