// Package volumetest holds what every volume driver must do, as tests, and what tests of
// drivers share. A driver runs the whole suite: Run for volume.Snapshotter, against a World
// that plays its provider, RunRestorer for volume.Restorer, RunDeleter for volume.Deleter and
// RunInspector for volume.Inspector, each against a world of its kind. Memory and MemoryRestore
// are such worlds with drivers of their own: the smallest that pass.
package volumetest
