package volumetest_test

import (
	"testing"
	"testing/synctest"

	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// TestMemory: the smallest driver that keeps the promises of volume.Snapshotter.
func TestMemory(t *testing.T) {
	volumetest.Run(t, func(t *testing.T, test func(*testing.T, volumetest.World)) {
		synctest.Test(t, func(t *testing.T) { test(t, &volumetest.Memory{}) })
	})
}

// TestMemoryRestorer: the smallest driver that keeps the promises of volume.Restorer.
func TestMemoryRestorer(t *testing.T) {
	volumetest.RunRestorer(t, func(t *testing.T, test func(*testing.T, volumetest.RestoreWorld)) {
		test(t, &volumetest.MemoryRestore{})
	})
}

// TestMemoryInspector: the smallest driver that keeps the promises of volume.Inspector.
func TestMemoryInspector(t *testing.T) {
	volumetest.RunInspector(t, func(t *testing.T, test func(*testing.T, volumetest.InspectWorld)) { test(t, &volumetest.Memory{}) })
}

// TestMemoryDeleter: the smallest driver that keeps the promises of volume.Deleter.
func TestMemoryDeleter(t *testing.T) {
	volumetest.RunDeleter(t, func(t *testing.T, test func(*testing.T, volumetest.DeleteWorld)) { test(t, &volumetest.Memory{}) })
}
