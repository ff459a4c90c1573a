//go:build stack

package chaos

import (
	"context"
	"testing"
)

// TestTerminateVolumes ends a run from outside when it has taken snapshots: the next
// backup of that name deletes them, and is as if there had been no other.
func TestTerminateVolumes(t *testing.T) {
	t.Parallel()
	var jobs []job
	for path, points := range map[string][]volumePoint{
		"native": {edge("VerifyBackup", false, Before)},
		"mixed":  {edge("CheckVolumes", false, Before), edge("FinishVolumes", false, Before), edge("VerifyBackup", false, Before)},
	} {
		for _, at := range points {
			jobs = append(jobs, job{path + ", " + at.name, func(ctx context.Context, l *lane) error { return l.terminatedVolumes(ctx, path, at) }})
		}
	}
	each(t, jobs)
}

func (l *lane) terminatedVolumes(ctx context.Context, path string, at volumePoint) error {
	name, err := l.struckVolumes(ctx, path, at, terminate, nil)
	if err := wasTerminated(err); err != nil {
		return err
	}
	return l.againVolumes(ctx, path, name)
}
