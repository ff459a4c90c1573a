//go:build stack

// Package drill runs restore drills on a stack without a node, whose pods become ready all the
// same, and holds the API server's audit log against what a drill may write.
package drill

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// lab is what the tests of this package share.
type lab struct {
	*harness.Lab
	key, audit string // paths: of the public key, of the audit log
}

var shared *lab

// auditPolicy logs who writes what, with contents.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Request, verbs: [create, update, patch, delete, deletecollection]}
- {level: None}
`

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lifeboat-drill-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	policy, audit := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "audit.log")
	key, err := harness.MakeDrillKey(dir)
	if err == nil {
		err = os.WriteFile(policy, []byte(auditPolicy), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := harness.LabOptions{
		Name: "drill",
		Stack: stack.Options{
			Kwok: true, KwokVolumes: true, SnapshotController: true, TemporalOnDisk: true,
			APIServerArgs: []string{"--audit-policy-file=" + policy, "--audit-log-path=" + audit},
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
