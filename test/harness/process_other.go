//go:build !linux

package harness

import "syscall"

// dieWithTest does nothing where the kernel has no such signal.
func dieWithTest() *syscall.SysProcAttr { return nil }
