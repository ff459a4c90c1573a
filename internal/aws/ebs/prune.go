package ebs

import (
	"context"
	"errors"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// Prune deletes the run's snapshots that are not among keep, and returns what
// became of each. There are some after a failure, or when a run was carried out
// twice at the same time by a worker that was taken for dead. One that is refused for
// good does not keep the others from being deleted.
func (l *Location) Prune(ctx context.Context, uid string, keep []string) (map[string]Deletion, error) {
	if uid == "" {
		return nil, awserr.Fail("DeleteSnapshot", "", ErrInvalid, "no run is named")
	}
	ours := map[string]string{TagBackupUID: uid}
	all, err := l.Find(ctx, ours)
	if err != nil {
		return nil, err
	}
	done := map[string]Deletion{}
	var refused []error
	for _, s := range all {
		if slices.Contains(keep, s.ID) {
			continue
		}
		d, err := l.DeleteSnapshot(ctx, s.ID, ours)
		switch {
		case err == nil:
			done[s.ID] = d
		case IsFinal(err):
			refused = append(refused, err)
		default:
			return done, err
		}
	}
	return done, errors.Join(refused...)
}
