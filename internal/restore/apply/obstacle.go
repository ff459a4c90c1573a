package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// terminatingTimeout is how long a namespace that is being deleted is waited for:
	// Velero's --terminating-resource-timeout.
	terminatingTimeout = 10 * time.Minute
	// webhookPatience is how long a webhook is waited for that cannot be called: its image is
	// pulled in 10 to 60 s, its certificate is made after that.
	webhookPatience = 5 * time.Minute
	// accountPatience is how long a pod waits for its ServiceAccount. The cluster makes the
	// default one of a namespace within a second or two.
	accountPatience = 30 * time.Second
	// typePatience is how long a type is waited for whose definition is Established: another
	// API server may show it some seconds later.
	typePatience = 10 * time.Second
)

// obstacle names what keeps objects out of the cluster for a while and is no fault of
// theirs: "namespace n" that is being deleted, "webhook w" that cannot be called, "service
// account n/default" or "type t" that is not there yet. It is empty where there is none.
type obstacle string

const (
	terminatingNamespace = "namespace "
	unservedType         = "type "
)

// obstacleOf tells an obstacle from a refusal of the object itself.
func obstacleOf(err error) obstacle {
	var t *terminatingError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &t):
		return obstacle(terminatingNamespace + t.namespace)
	case kube.MissingServiceAccount(err) != "":
		return obstacle(kube.MissingServiceAccount(err))
	}
	return obstacle(kube.UnansweredWebhook(err))
}

// isType says that the obstacle is a type that is not served.
func (o obstacle) isType() bool { return strings.HasPrefix(string(o), unservedType) }

// isWebhook says that the obstacle is a webhook, which a Service and pods serve.
func (o obstacle) isWebhook() bool {
	return strings.HasPrefix(string(o), "webhook ") || strings.HasPrefix(string(o), "conversion webhook ")
}

// patience is how long a restore waits for the obstacle to go.
func (o obstacle) patience() time.Duration {
	switch {
	case strings.HasPrefix(string(o), terminatingNamespace):
		return terminatingTimeout
	case strings.HasPrefix(string(o), "service account "):
		return accountPatience
	case o.isType():
		return typePatience
	}
	return webhookPatience
}

// obstacles remember until when each obstacle is waited for: its time begins with the first
// task that waits for it, and all tasks of the restore share it. One that stays costs its
// wait once.
type obstacles struct {
	stage repository.Staging
	// behindServices is for levels in which the Services of webhooks have been restored.
	// Webhooks get their time anew there: before, many of them cannot be reached.
	behindServices bool
	patience       func(obstacle) time.Duration

	mu   sync.Mutex
	ends map[string]time.Time
}

func newObstacles(stage repository.Staging, level plan.Level) *obstacles {
	return &obstacles{stage: stage, behindServices: level > plan.Services, patience: obstacle.patience, ends: map[string]time.Time{}}
}

// obstacleDoc is the document in staging of an obstacle that is waited for.
type obstacleDoc struct {
	What string    `json:"what"`
	End  time.Time `json:"end"`
}

// waitEnd is when the restore stops to wait for an obstacle. It begins the time of one that
// no task has waited for.
func (w *obstacles) waitEnd(ctx context.Context, o obstacle) (time.Time, error) {
	what := string(o)
	if w.behindServices && !strings.HasPrefix(what, terminatingNamespace) {
		what += ", behind services"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if end, known := w.ends[what]; known {
		return end, nil
	}
	sum := sha256.Sum256([]byte(what))
	file, doc := repository.ObstacleFile(hex.EncodeToString(sum[:16])), obstacleDoc{}
	err := w.stage.Get(ctx, file, &doc)
	if errors.Is(err, store.ErrNotFound) {
		doc = obstacleDoc{What: what, End: time.Now().Add(w.patience(o))}
		err = repository.CreateStaged(ctx, w.stage, file, &doc) // of tasks that begin to wait at once the first counts
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("wait for %s: %w", what, err)
	}
	w.ends[what] = doc.End
	return doc.End, nil
}

// pause waits before another try at what an obstacle has stopped, and reports false without
// a wait when its time is over.
func (w *obstacles) pause(ctx context.Context, o obstacle) (bool, error) {
	end, err := w.waitEnd(ctx, o)
	if left := time.Until(end); err == nil && left > 0 {
		return true, poll.Wait(ctx, min(left, terminationMaxPause))
	}
	return false, err
}
