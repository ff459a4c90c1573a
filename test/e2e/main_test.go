//go:build stack

package e2e

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// lab is what the tests of this package share.
type lab struct {
	*harness.Lab
	takenBy sync.Map // short name of a namespace → name of the test that made it up
}

// shared is set by TestMain, before any test.
var shared *lab

// atOnce is how many tests run at a time: they wait more than they work.
const atOnce = "8"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	o := harness.LabOptions{Name: "e2e", Stack: stack.Options{Kwok: true, KwokVolumes: true, TemporalOnDisk: true}}
	os.Exit(harness.Main(m, o, func(l *harness.Lab) error {
		shared = &lab{Lab: l}
		return nil
	}))
}

// beside is a Lifeboat of a test's own, whose bucket holds nothing of other tests.
func beside(t *testing.T, name string) *lab {
	t.Helper()
	return &lab{Lab: shared.Beside(t, harness.Options{Cluster: name})}
}
