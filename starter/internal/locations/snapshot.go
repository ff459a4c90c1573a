package locations

import (
	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// SnapshotCommand is `lifeboat snapshot-location`.
func (cs Commands) SnapshotCommand() *cobra.Command {
	return command.Group("snapshot-location", "Show and check where snapshots of volumes are made", []string{"snapshot-locations", "vsl"},
		cs.GetSnapshot(), cs.snapshotLocations().checkCommand("Try what the credentials of a snapshot location may do",
			`Ask AWS who the credentials of a snapshot location are, and make every call that only
reads. Nothing is made, tagged or deleted, so whether they may do that is not tried. What
is denied is told with its consequence; deploy/iam/volumes.json has the whole policy.

The exit code is 1 when a location cannot be used, 0 otherwise.`))
}

// GetSnapshot is `snapshot-location get`.
func (cs Commands) GetSnapshot() *cobra.Command {
	return cs.snapshotLocations().getCommand("List volume snapshot locations")
}

// snapshotLocations are where snapshots are made by the API of EBS.
func (cs Commands) snapshotLocations() *locations[contract.SnapshotLocationStatus] {
	return &locations[contract.SnapshotLocationStatus]{
		Console: cs.Console,
		layout: console.Layout[contract.SnapshotLocationStatus]{
			Word:   "snapshot-location",
			Name:   func(l contract.SnapshotLocationStatus) string { return l.Name },
			Header: []string{"NAME", "PROVIDER"},
			Cells:  func(l contract.SnapshotLocationStatus) []string { return []string{l.Name, l.Provider} },
			Empty:  "No snapshot locations found: volumes are snapshotted through CSI only. The worker's configuration lists them in volumeSnapshotLocations.",
		},
		listVerb: contract.ReadSnapshotLocations,
		rowsOf:   func(res contract.ReadResult) []contract.SnapshotLocationStatus { return res.SnapshotLocations },
		checkOf: func(l contract.SnapshotLocationStatus) contract.ReadInput {
			return contract.ReadInput{Verb: contract.ReadSnapshotLocationCheck, Name: l.Name}
		},
		phaseOf:      func(l contract.SnapshotLocationStatus) string { return l.Phase },
		printChecked: cs.printCheckedSnapshotLocation,
	}
}

func (cs Commands) printCheckedSnapshotLocation(l contract.SnapshotLocationStatus) error {
	cs.Say("Snapshot location %q (%s, %s): %s\n", l.Name, l.Provider, l.Region, l.Phase)
	if l.Message != "" {
		cs.Say("  %s\n", show.Clean(l.Message))
		return nil
	}
	cs.Say("  account %s, as %s\n", l.Account, l.Identity)
	return cs.printCapabilities(l.Capabilities)
}
