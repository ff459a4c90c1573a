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

// Discovery follows a change of types within moments. A type that is announced and not
// served is listed notServedTries times, notServedPause apart, before that is a reason.
const (
	notServedTries = 5
	notServedPause = time.Second
)

// errTransient says that a read failed while the API server is well, and is to be tried again
// at once: the server may have been down until just now.
var errTransient = errors.New("failed; trying again")

// classifyRefusal decides what the failure of a read means. nil says that the API server is
// well and does not hand out what was asked for, which is a reason in the result and not
// the end of the backup. tries counts the failures of this read: after the first one that
// may pass, the error is errTransient. Any other error ends the attempt of the activity.
func classifyRefusal(ctx context.Context, service *backup.Service, err error, tries int) error {
	switch {
	case apierrors.IsTooManyRequests(err):
		return waitForRoom(ctx, err)
	case kube.IsUnavailable(err) && ctx.Err() == nil:
		if service.Kube.Ping(ctx) != nil {
			return err
		}
		if tries == 1 {
			return fmt.Errorf("%w: %w", errTransient, err)
		}
	case !apierrors.IsForbidden(err) && !apierrors.IsMethodNotSupported(err):
		return err
	}
	return nil
}

// leastAskedWait is for a server that sheds load and does not say for how long.
const leastAskedWait = time.Second

// waitForRoom waits as long as a server asks that sheds load, which says nothing about what
// was asked for. It answers health checks all the while.
func waitForRoom(ctx context.Context, err error) error {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	if err := poll.Wait(ctx, max(time.Duration(seconds)*time.Second, leastAskedWait)); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", errTransient, err)
}

// listFailed decides what the failure of a list means. A type that is refused is a
// reason in the result; a nil error stays nil.
func (e *shardExport) listFailed(ctx context.Context, r kube.Resource, u listCall, err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return e.typeNotServed(ctx, r, u, err)
	}
	if err := classifyRefusal(ctx, e.service, err, e.countFailure(r, u)); err != nil {
		return err
	}
	e.Notes.AddReason(report.New(report.ListFailed, err.Error()).At(r.GroupResource(), "", ""))
	return nil
}

// typeNotServed decides what a 404 to a list means. A definition that was deleted since the
// backup was planned took its objects with it, so that there is nothing to back up. A server
// that has just started gives the same answer for a type that it is about to serve.
func (e *shardExport) typeNotServed(ctx context.Context, r kube.Resource, u listCall, err error) error {
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
		return fmt.Errorf("%w: %w", errTransient, err)
	}
	e.Notes.AddReason(report.New(report.ListFailed, err.Error()).At(gr, "", ""))
	return nil
}

// countFailure counts the failures of one list within this attempt at the shard.
func (e *shardExport) countFailure(r kube.Resource, u listCall) int {
	key := fmt.Sprint(r.GroupResource(), " ", u.namespace, " ", u.selector)
	e.failures[key]++
	return e.failures[key]
}

// fetched is the result of reading one object. An object that was neither found nor refused
// is not in the cluster.
type fetched struct {
	res     kube.Resource
	item    kube.Item
	found   bool
	refusal error // why the API server, which is well, does not hand it out
}

// refusalReason says that the object is not in the backup, and why.
func (f fetched) refusalReason(ns, name string) report.Reason {
	return report.New(report.ReadFailed, f.refusal.Error()).At(f.res.GroupResource(), ns, name)
}

// fetchObject reads one object. An error does not concern this object alone.
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

// readAgain reads, and reads once more what failed and may not fail again. It tells a refusal
// of what was read, which is a reason, from an error.
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
		case !errors.Is(err, errTransient):
			return nil, err
		}
	}
}
