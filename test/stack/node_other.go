//go:build !linux

package stack

import (
	"context"
	"fmt"
	"runtime"
)

// checkMachine says what forbids a node here.
func checkMachine() error {
	return fmt.Errorf("it needs Linux, and this is %s", runtime.GOOS)
}

func makeCgroups(string) error { return nil }

func removeCgroups(context.Context, string) error { return nil }

func removeBridge(string) error { return nil }
