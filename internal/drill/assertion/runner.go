package assertion

import (
	"context"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Recorded is a value that was recorded with the backup.
type Recorded struct {
	Value string    `json:"value"`
	At    time.Time `json:"at"`
}

// Runner tries assertions in one copy. It is for one goroutine.
type Runner struct {
	// Client reaches the cluster of the copy.
	Client *kube.Client
	// Namespaces is namespace in the backup → namespace of the copy.
	Namespaces map[string]string
	// Recorded are the values that were recorded with the backup, by namespace/name of the backup.
	Recorded map[string]Recorded
	// Probe is what connections with from: probe come out of; nil if there are none.
	Probe *definition.Probe
	// Labels are put on what is made, beside those that tell its part (LabelPart).
	Labels map[string]string
	// Progress is called before each attempt, for a heartbeat; it may be nil.
	Progress func(assertion string, attempt int)
}

// Run tries an assertion until it holds or has been tried as often as it may be. It may
// repeat: a probe pod or Job that an attempt before it has made is used. An end of ctx gives
// the outcome NotChecked.
func (r *Runner) Run(ctx context.Context, a definition.Assertion) evidence.Assertion {
	panic("not written yet")
}
