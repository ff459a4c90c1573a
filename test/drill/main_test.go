//go:build stack

// Package drill runs restore drills on a stack without a node, whose pods become ready all the
// same, and holds the API server's audit log against what a drill may write.
package drill

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// lab is what the tests of this package share.
type lab struct {
	*harness.Lab
	key   string // path of the public key
	audit *harness.AuditLog
}

var shared *lab

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lifeboat-drill-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	audit, err := harness.NewAuditLog(dir, "Request")
	key, errKey := harness.MakeDrillKey(dir)
	if err = errors.Join(err, errKey); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := harness.LabOptions{
		Name: "drill",
		Stack: stack.Options{
			Kwok: true, KwokVolumes: true, SnapshotController: true, TemporalOnDisk: true,
			APIServerArgs: audit.Args(), TemporalArgs: withPriorities(),
		},
		Prepare: func(*stack.Stack) (harness.Options, []string, error) {
			return harness.Options{Edit: func(c *config.Config) { c.Drills.SigningKey = &config.SigningKey{File: key} }}, nil, nil
		},
	}
	return harness.Main(m, o, func(l *harness.Lab) error {
		shared = &lab{l, key + ".pub", audit}
		return nil
	})
}

// withPriorities has Temporal give slots by priority, of all that waits: of several partitions of a queue a
// worker asks one at a time.
func withPriorities() (args []string) {
	for _, value := range []string{"matching.useNewMatcher=true", "matching.numTaskqueueWritePartitions=1", "matching.numTaskqueueReadPartitions=1"} {
		args = append(args, "--dynamic-config-value", value)
	}
	return args
}
