package volumetest

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Volumes is how many volumes the backup of a World has. The first two are one group.
const Volumes = 4

// Capacity is how many snapshots the provider of a World takes on at a time: those of all
// volumes of one backup, and none beside them.
const Capacity = Volumes

// World is a provider with the volumes of one backup, seen from outside of the driver.
type World interface {
	// Backup is the backup whose volumes these are.
	Backup() *volume.Backup
	// Driver makes the driver of a backup anew, as each attempt at a unit does. All
	// drivers of a World share the provider's capacity, as those of one worker do.
	Driver(b *volume.Backup) volume.Snapshotter
	// Existing are the volumes of all snapshots that the provider has of a backup, in
	// ascending order, once for each snapshot.
	Existing(uid string) []int
	// LoseReply lets the next snapshot be made and its maker hear nothing of it.
	LoseReply()
	// DeleteVolume lets a volume vanish.
	DeleteVolume(index int)
	// DeleteSnapshots lets somebody else delete a volume's snapshots of a backup.
	DeleteSnapshots(uid string, index int)
}

// Factory makes a World that is empty of snapshots, and runs a test in it. It may do so in
// virtual time: the tests wait by the clock of the context that they are called in.
type Factory func(t *testing.T, test func(t *testing.T, w World))

// Run tests a driver. Each test has a World of its own.
func Run(t *testing.T, in Factory) {
	for name, test := range map[string]func(*testing.T, World){
		"take":                       testTake,
		"take again":                 testTakeAgain,
		"take after a lost reply":    testLostReply,
		"take without some":          testWithout,
		"take of a lost volume":      testVolumeGone,
		"status":                     testStatus,
		"status of a lost snapshot":  testSnapshotGone,
		"find":                       testFind,
		"forget":                     testForget,
		"forget, not confirmed":      testForgetAllowed,
		"forget of a late attempt":   testForgetLate,
		"retain and release":         testRetain,
		"discard":                    testDiscard,
		"discard what is unrecorded": testDiscardUnrecorded,
		"discard what is gone":       testDiscardGone,
		"discard of one backup only": testDiscardOther,
		"reservation released twice": testReleaseReservation,
		"no capacity":                testNoCapacity,
		"no capacity, nothing waits": testNoCapacityUnquiesced,
	} {
		t.Run(name, func(t *testing.T) { in(t, test) })
	}
}
