package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Discovery follows a change of types within moments; a type that is announced
// and not served is asked for this often, this far apart.
const (
	notServedTries = 5
	notServedPause = time.Second
)

// errSuspect is a read that failed while the API server is well, and may not fail
// again: the server may have been down until just now.
var errSuspect = errors.New("failed; trying again")

// refused decides what the failure of a read means: nil says that the API server is
// well and does not hand out what was asked for, which is a reason in the result and
// not a lost backup. tries counts the failures of this read; after the first one that
// may pass the error is errSuspect. Any other is the activity's, to be tried again.
func classifyRefusal(ctx context.Context, b *backup.Service, err error, tries int) error {
	switch {
	case kube.IsUnavailable(err) && ctx.Err() == nil:
		if b.Kube.Ping(ctx) != nil {
			return err
		}
		if tries == 1 {
			return fmt.Errorf("%w: %w", errSuspect, err)
		}
	case !kube.IsForbidden(err) && !kube.IsMethodNotSupported(err):
		return err
	}
	return nil
}

// listFailed decides what the failure of a list means. A type that is refused is a
// reason in the result; a nil error stays nil.
func (e *shardExport) listFailed(ctx context.Context, r kube.Resource, u listCall, err error) error {
	switch {
	case err == nil:
		return nil
	case kube.IsNotFound(err):
		return e.notServed(ctx, r, u, err)
	}
	if err := classifyRefusal(ctx, e.b, err, e.suspect(r, u)); err != nil {
		return err
	}
	e.Notes.AddReason(report.New(report.ListFailed, err.Error()).At(r.GroupResource(), "", ""))
	return nil
}

// notServed judges a 404 to a list. A definition that was deleted since the backup
// was planned took its objects with it: there is nothing to back up. A server
// that has just started answers so too, for a type that it is about to serve.
func (e *shardExport) notServed(ctx context.Context, r kube.Resource, u listCall, err error) error {
	cat, derr := e.b.Kube.Discover(ctx)
	if derr != nil {
		return derr
	}
	gr := r.GroupResource()
	if cat.Lacks(gr, r.Group) {
		e.Notes.AddReason(report.New(report.TypeGone, "the API server no longer serves this type").At(gr, "", ""))
		return nil
	}
	if e.suspect(r, u) < notServedTries {
		if err := poll.Wait(ctx, notServedPause); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", errSuspect, err)
	}
	e.Notes.AddReason(report.New(report.ListFailed, err.Error()).At(gr, "", ""))
	return nil
}

// suspect counts the failures of one list within this attempt at the shard.
func (e *shardExport) suspect(r kube.Resource, u listCall) int {
	key := fmt.Sprint(r.GroupResource(), " ", u.namespace, " ", u.selector)
	e.suspects[key]++
	return e.suspects[key]
}
