package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// killed is what is left of a cluster whose worker was killed: Temporal lists it still, and
// nothing that a worker has to do is answered.
type killed struct{ *memory }

// silenceOfWorker is how long a read waits.
const silenceOfWorker = 30 * time.Second

func (k killed) RequireAnswer(context.Context) error {
	time.Sleep(8 * time.Second)
	return temporal.ErrLost
}

func (k killed) Read(context.Context, contract.ReadInput) (contract.ReadResult, error) {
	time.Sleep(silenceOfWorker)
	return contract.ReadResult{}, temporal.ErrLost
}

func (k killed) Backups(context.Context, string, string) (out temporal.Listing[contract.BackupSummary], _ error) {
	time.Sleep(silenceOfWorker)
	return out, temporal.ErrLost
}

func (k killed) Restores(context.Context, string, string) (out temporal.Listing[contract.RestoreSummary], _ error) {
	time.Sleep(silenceOfWorker)
	return out, temporal.ErrLost
}

func (k killed) Sample(context.Context, temporal.Run) (temporal.Sample, error) {
	time.Sleep(4 * time.Second)
	return temporal.Sample{Trouble: "the worker of cluster prod has not answered for 4s"}, nil
}

// stamped remembers when something was written first.
type stamped struct {
	syncBuffer
	first time.Time
}

func (s *stamped) Write(p []byte) (int, error) {
	if s.first.IsZero() {
		s.first = time.Now()
	}
	return s.syncBuffer.Write(p)
}

// TestKilledWorkerIsNamed: within 5 s who waits for a worker that was killed is told so, whatever
// was asked of it, reads and starts alike.
func TestKilledWorkerIsNamed(t *testing.T) {
	for _, args := range []string{
		"backup get", "backup describe nightly", "restore get", "restore describe back", "location get", "schedule get",
		"backup create a", "restore create r --from-backup nightly",
	} {
		t.Run(args, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var errs stamped
				begun := time.Now()
				a := newApp(strings.NewReader(""), &syncBuffer{}, &errs)
				a.Dial = func(context.Context, string) (console.Backend, error) {
					return killed{&memory{pollers: []temporal.Poller{{Name: "1@w"}}}}, nil
				}
				code := a.run(t.Context(), strings.Fields(args))
				took := errs.first.Sub(begun)
				if errs.first.IsZero() || took > 5*time.Second || !strings.Contains(errs.String(), "worker of cluster prod") {
					t.Errorf("code %d, after %s of %s: %q", code, took, time.Since(begun), errs.String())
				}
			})
		})
	}
}
