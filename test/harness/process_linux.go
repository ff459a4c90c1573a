package harness

import "syscall"

// dieWithTest makes a worker die with the test that started it, also a killed one.
func dieWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
