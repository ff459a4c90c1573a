//go:build !linux

package driver

import "errors"

var errNoMount = errors.New("volumes can be mounted on Linux only")

func bindMount(string, string, bool) error { return errNoMount }

func unmount(string) error { return errNoMount }

func isMountPoint(string) (bool, error) { return false, nil }
