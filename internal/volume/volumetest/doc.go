// Package volumetest holds what every volume driver must do, as tests, and what tests of
// drivers share. A driver runs the whole suite: Run for volume.Snapshotter, against a World
// that plays its provider, and RunRestorer for volume.Restorer, against a RestoreWorld.
// Memory and MemoryRestore are such worlds with drivers of their own: the smallest that
// pass.
package volumetest
