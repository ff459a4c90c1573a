//go:build stack

package e2e

import (
	"os"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// lab is what the tests of this package share.
type lab struct{ *harness.Lab }

// shared is set by TestMain, before any test.
var shared *lab

func TestMain(m *testing.M) {
	o := harness.LabOptions{Name: "e2e", Stack: stack.Options{Kwok: true, KwokVolumes: true, TemporalOnDisk: true}}
	os.Exit(harness.Main(m, o, func(l *harness.Lab) error {
		shared = &lab{l}
		return nil
	}))
}
