// Package volumetest holds what every implementation of volume.Snapshotter must do, as
// tests, and what tests of volume drivers share. A driver runs the whole suite with Run,
// against a World that plays its provider. Memory is such a world with a driver of its
// own: the smallest that passes.
package volumetest
