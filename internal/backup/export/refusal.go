package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

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

// classifyRefusal decides what the failure of a read means: nil says that the API server is
// well and does not hand out what was asked for, which is a reason in the result and
// not a lost backup. tries counts the failures of this read; after the first one that
// may pass the error is errSuspect. Any other is the activity's, to be tried again.
func classifyRefusal(ctx context.Context, service *backup.Service, err error, tries int) error {
	switch {
	case kube.IsUnavailable(err) && ctx.Err() == nil:
		if service.Kube.Ping(ctx) != nil {
			return err
		}
		if tries == 1 {
			return fmt.Errorf("%w: %w", errSuspect, err)
		}
	case !apierrors.IsForbidden(err) && !apierrors.IsMethodNotSupported(err):
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
	case apierrors.IsNotFound(err):
		return e.notServed(ctx, r, u, err)
	}
	if err := classifyRefusal(ctx, e.service, err, e.countFailure(r, u)); err != nil {
		return err
	}
	e.Notes.AddReason(report.New(report.ListFailed, err.Error()).At(r.GroupResource(), "", ""))
	return nil
}

// notServed judges a 404 to a list. A definition that was deleted since the backup
// was planned took its objects with it: there is nothing to back up. A server
// that has just started answers so too, for a type that it is about to serve.
func (e *shardExport) notServed(ctx context.Context, r kube.Resource, u listCall, err error) error {
	cat, derr := e.service.Kube.Discover(ctx)
	if derr != nil {
		return derr
	}
	gr := r.GroupResource()
	if cat.Lacks(gr, r.Group) {
		e.Notes.AddReason(report.New(report.TypeGone, "the API server no longer serves this type").At(gr, "", ""))
		return nil
	}
	if e.countFailure(r, u) < notServedTries {
		if err := poll.Wait(ctx, notServedPause); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", errSuspect, err)
	}
	e.Notes.AddReason(report.New(report.ListFailed, err.Error()).At(gr, "", ""))
	return nil
}

// countFailure counts the failures of one list within this attempt at the shard.
func (e *shardExport) countFailure(r kube.Resource, u listCall) int {
	key := fmt.Sprint(r.GroupResource(), " ", u.namespace, " ", u.selector)
	e.suspects[key]++
	return e.suspects[key]
}

// fetched is what came of reading one object: neither found nor refused, it is not in
// the cluster.
type fetched struct {
	res     kube.Resource
	item    kube.Item
	found   bool
	refusal error // of the API server, which is well
}

// refusalReason says that the object is not in the backup, and why.
func (f fetched) refusalReason(ns, name string) report.Reason {
	return report.New(report.ReadFailed, f.refusal.Error()).At(f.res.GroupResource(), ns, name)
}

// fetchObject reads one object. The error is for what is no fault of the object.
func fetchObject(ctx context.Context, service *backup.Service, r kube.Resource, ns, name string) (fetched, error) {
	f := fetched{res: r}
	var err error
	f.refusal, err = readAgain(ctx, service, func() error {
		it, err := service.Kube.GetItem(ctx, r, ns, name)
		f.item, f.found = it, err == nil
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
	return f, err
}

// readAgain reads once more what failed and may pass, and tells a refusal from an error.
func readAgain(ctx context.Context, service *backup.Service, read func() error) (refusal, err error) {
	for tries := 1; ; tries++ {
		refusal = read()
		if refusal == nil {
			return nil, nil
		}
		err = classifyRefusal(ctx, service, refusal, tries)
		switch {
		case err == nil:
			return refusal, nil
		case !errors.Is(err, errSuspect):
			return nil, err
		}
	}
}
