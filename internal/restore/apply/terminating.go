package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

const (
	// leavingFor is how long an object that is being deleted is waited for, beyond
	// its grace period: a kubelet, or the controllers that protect claims and
	// volumes, let go within seconds of that; a finalizer that nobody serves never.
	leavingFor = 30 * time.Second
	// Pauses between looks at objects that are being deleted.
	leavingFirst = 250 * time.Millisecond
	leavingMax   = 5 * time.Second
)

// leaving is what the cluster has in the place of an object, and deletes.
type leaving struct {
	uid   string
	grace time.Duration // that it was given to end in; of Pods
	text  string
}

// leavingOf is nil for an object that is there to stay.
func leavingOf(live map[string]any) *leaving {
	if !resource.IsDeleting(live) {
		return nil
	}
	meta, _ := live["metadata"].(map[string]any)
	seconds, _ := meta["deletionGracePeriodSeconds"].(int64)
	l := &leaving{uid: resource.StringOf(meta["uid"]), grace: time.Duration(max(seconds, 0)) * time.Second, text: "is being deleted"}
	if finalizers, _ := meta["finalizers"].([]any); len(finalizers) > 0 {
		l.text += fmt.Sprintf(", held by the finalizers %v", finalizers)
	} else if l.grace > 0 {
		l.text += fmt.Sprintf(", with a grace period of %s", l.grace)
	}
	return l
}

// wait is how long the object is waited for.
func (l *leaving) wait() time.Duration { return min(l.grace, terminatingTimeout) + leavingFor }

// leaves fails an object in whose place there is one that is being deleted. The
// batch waits for that to go, then tries once more.
func (it *item) leaves(l *leaving) restore.Record {
	why := "an object of this name " + l.text
	if it.leaving != nil && it.leaving.uid == l.uid {
		why += fmt.Sprintf("; it was still there after %s", it.leaving.wait())
	}
	it.leaving = l
	return it.fail(report.ObjectTerminating, errors.New(why))
}

// awaitGone waits for what is being deleted in the place of refused items, as long as
// the most patient of them does. All are waited for at once, and none of them holds
// a place of the client's limiter between looks.
func (a *applier) awaitGone(ctx context.Context, refused []*item) error {
	var left []*item
	var most time.Duration
	for _, it := range refused {
		if it.leaving != nil {
			left = append(left, it)
			most = max(most, it.leaving.wait())
		}
	}
	end := time.Now().Add(most)
	for wait := leavingFirst; len(left) > 0 && time.Now().Before(end); wait = min(2*wait, leavingMax) {
		err := poll.Wait(ctx, min(wait, time.Until(end)))
		if err != nil {
			return err
		}
		if left, err = a.stillLeaving(ctx, left); err != nil {
			return err
		}
	}
	return nil
}

// stillLeaving looks which are still there.
func (a *applier) stillLeaving(ctx context.Context, items []*item) ([]*item, error) {
	there := make([]bool, len(items))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(a.r.Config.Limits.ApplyConcurrency)
	for i, it := range items {
		group.Go(func() error {
			live, err := a.live(ctx, it)
			if err != nil && !kube.IsNotFound(err) {
				return a.r.Outage(ctx, err) // else the second try says what is wrong
			}
			l := leavingOf(live)
			there[i] = l != nil && l.uid == it.leaving.uid
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var left []*item
	for i, it := range items {
		if there[i] {
			left = append(left, it)
		}
	}
	return left, nil
}
