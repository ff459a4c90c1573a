//go:build linux

package controlplane

import (
	"os/exec"
	"runtime"
	"testing"
)

// TestPeakMemory: what a process has had is its own, and not what the one has that started it.
func TestPeakMemory(t *testing.T) {
	const page, most = 4 << 10, 64 << 20
	large := make([]byte, 4*most)
	for i := 0; i < len(large); i += page {
		large[i] = 1
	}
	small := exec.Command("sleep", "60")
	if err := small.Start(); err != nil {
		t.Fatal(err)
	}
	if got := peakMemory(small.Process.Pid); got <= 0 || got > most {
		t.Errorf("%d bytes", got)
	}
	runtime.KeepAlive(large)
	if err := small.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = small.Wait() // it was killed
	if got := peakMemory(small.Process.Pid); got != 0 {
		t.Errorf("%d bytes of a process that has ended", got)
	}
}
