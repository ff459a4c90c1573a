//go:build !linux

package ebssim

// freeze does nothing: pods with real volumes run only on Linux.
func freeze([]string) (thaw func() error, err error) { return func() error { return nil }, nil }

func thawAll(string) error { return nil }
