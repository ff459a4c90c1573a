package apply

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

const (
	// terminationPatience is how long an object that is being deleted is waited for,
	// beyond its grace period: a kubelet, or the controllers that protect claims and
	// volumes, let go within seconds of that; a finalizer that nobody serves never.
	terminationPatience = 30 * time.Second
	// Pauses between looks at objects that are being deleted.
	terminationFirstPause = 250 * time.Millisecond
	terminationMaxPause   = 5 * time.Second
)

// termination is what the cluster has in the place of an object, and deletes.
type termination struct {
	uid   string
	grace time.Duration // that it was given to end in; pods have one
	text  string        // says why it is still there
}

// terminationOf is nil for an object that is there to stay.
func terminationOf(live map[string]any) *termination {
	if !resource.IsDeleting(live) {
		return nil
	}
	meta, _ := live["metadata"].(map[string]any)
	seconds, _ := meta["deletionGracePeriodSeconds"].(int64)
	t := &termination{uid: resource.StringOf(meta["uid"]), grace: time.Duration(max(seconds, 0)) * time.Second, text: "is being deleted"}
	if finalizers, _ := meta["finalizers"].([]any); len(finalizers) > 0 {
		t.text += fmt.Sprintf(", held by the finalizers %v", finalizers)
	} else if t.grace > 0 {
		t.text += fmt.Sprintf(", with a grace period of %s", t.grace)
	}
	return t
}

// patience is how long the object is waited for.
func (t *termination) patience() time.Duration {
	return min(t.grace, terminatingTimeout) + terminationPatience
}

// awaitTerminations waits for what is being deleted in the place of objects, as long as
// the most patient of them does. All are waited for at once, and none of them holds a
// place of the client's limiter between looks.
func (a *applier) awaitTerminations(ctx context.Context, retries []*attempt) error {
	var blocked []*firstAttempt
	var most time.Duration
	for _, at := range retries {
		if at.first.blocker != nil {
			blocked = append(blocked, at.first)
			most = max(most, at.first.blocker.patience())
		}
	}
	end := time.Now().Add(most)
	for pause := terminationFirstPause; len(blocked) > 0 && time.Now().Before(end); pause = min(2*pause, terminationMaxPause) {
		err := poll.Wait(ctx, min(pause, time.Until(end)))
		if err != nil {
			return err
		}
		if blocked, err = a.stillBlocked(ctx, blocked); err != nil {
			return err
		}
	}
	return nil
}

// stillBlocked are those objects in whose place the same thing is still being deleted.
func (a *applier) stillBlocked(ctx context.Context, objects []*firstAttempt) ([]*firstAttempt, error) {
	there := make([]bool, len(objects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(a.service.Config.Limits.ApplyConcurrency)
	for i, o := range objects {
		group.Go(func() error {
			live, err := a.readLive(ctx, o.target)
			if err != nil && !kube.IsNotFound(err) {
				return a.service.Outage(ctx, err) // else the second attempt says what is wrong
			}
			t := terminationOf(live)
			there[i] = t != nil && t.uid == o.blocker.uid
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var blocked []*firstAttempt
	for i, o := range objects {
		if there[i] {
			blocked = append(blocked, o)
		}
	}
	return blocked, nil
}
