// Package location opens the volume snapshot locations of the configuration: accounts and
// Regions of EC2, which share one limiter because limits are the account's.
package location

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
)

// Set opens the volume snapshot locations of the configuration,
// each once. They share one limiter, since limits are the account's.
type Set struct {
	cfg  *config.Config
	open Open

	mu     sync.Mutex
	opened map[string]*ebs.Location
	failed map[string]failedQuestion // locations that did not answer those who Ask

	opening singleflight.Group // by name: one that hangs holds nobody else up

	quotaMu    sync.Mutex
	quota      *quota.Account // see SharedQuota
	quotaAsked time.Time
}

// Open connects to EC2 as a location says.
type Open func(context.Context, *velerov1.VolumeSnapshotLocation) (*ebs.Location, error)

// New returns the locations of cfg, each of which open opens when it is
// needed.
func New(cfg *config.Config, open Open) *Set {
	return &Set{cfg: cfg, opened: map[string]*ebs.Location{}, failed: map[string]failedQuestion{}, open: open}
}

// Config is the configuration that the locations are of.
func (l *Set) Config() *config.Config { return l.cfg }

// envClusterName is Velero's environment variable: the cluster's name in AWS.
// Restored volumes are tagged as owned by it.
const envClusterName = "AWS_CLUSTER_NAME"

// OpenEBS opens locations that share one limiter, since limits are the account's. secret
// reads a key of a Secret in the configured namespace.
func OpenEBS(cfg *config.Config, secret func(ctx context.Context, name, key string) ([]byte, error)) Open {
	limits := quota.DefaultLimits()
	limits.Pending = cmp.Or(cfg.Limits.PendingSnapshots, limits.Pending)
	options := ebs.Options{Limits: quota.NewPool(limits), ClusterName: os.Getenv(envClusterName), Secret: secret}
	return func(ctx context.Context, l *velerov1.VolumeSnapshotLocation) (*ebs.Location, error) {
		return ebs.Open(ctx, l, options)
	}
}

// Choose says which location a backup uses that names these in
// spec.volumeSnapshotLocations: the one it names, or the only one there is; ""
// is none. An unknown name, more than one name, and no name where there are
// several locations are invalid input.
func (l *Set) Choose(names []string) (string, error) {
	all := l.cfg.VolumeSnapshotLocations
	switch {
	case len(names) > 1:
		return "", failure.Invalid("spec.volumeSnapshotLocations[1]: %q: all locations are of provider aws, of which a backup uses one; keep one name", names[1])
	case len(names) == 1:
		loc, err := l.Find(names[0])
		if err != nil {
			return "", failure.Invalid("spec.volumeSnapshotLocations[0]: %w", err)
		}
		return loc.Name, nil
	case len(all) > 1:
		return "", failure.Invalid("spec.volumeSnapshotLocations: required, since there are several locations; name one of %s", l.known())
	case len(all) == 1:
		return all[0].Name, nil
	}
	return "", nil
}

// Get returns the location of that name. An unknown name is invalid input.
func (l *Set) Get(ctx context.Context, name string) (*velerov1.VolumeSnapshotLocation, *ebs.Location, error) {
	doc, err := l.Find(name)
	if err != nil {
		return nil, nil, failure.Invalid("volumeSnapshotLocations: %w", err)
	}
	if loc := l.openedAs(name); loc != nil {
		return doc, loc, nil
	}
	// It goes on when who began it has gone, for all who wait for it too.
	opened := l.opening.DoChan(name, func() (any, error) {
		loc, err := l.open(context.WithoutCancel(ctx), doc)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.opened[name] = loc
		return loc, nil
	})
	select {
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("open snapshot location %q: %w", name, ctx.Err())
	case res := <-opened:
		loc, _ := res.Val.(*ebs.Location)
		return doc, loc, res.Err
	}
}

func (l *Set) openedAs(name string) *ebs.Location {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened[name]
}

const (
	// askOpenLimit and askLimit bound how long a location that is not needed is opened and
	// asked, and askAgain is how long one that did not answer in that time is left alone.
	askOpenLimit = 10 * time.Second
	askLimit     = 2 * time.Minute
	askAgain     = 5 * time.Minute
)

// failedQuestion is why a location was not heard, and when.
type failedQuestion struct {
	at  time.Time
	why error
}

// Ask has fn ask a location for what is good to know and not needed: one that cannot be
// reached, such as one of another Region, must not hold up what goes on without it.
func (l *Set) Ask(ctx context.Context, name string, fn func(context.Context, *ebs.Location) error) error {
	l.mu.Lock()
	last, hasFailed := l.failed[name]
	l.mu.Unlock()
	if hasFailed && time.Since(last.at) < askAgain {
		return last.why
	}
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	opening, cancelOpening := context.WithTimeout(limited, askOpenLimit)
	defer cancelOpening()
	_, loc, err := l.Get(opening, name)
	late := opening
	if err == nil {
		late, err = limited, fn(limited, loc)
	}
	if err != nil && late.Err() != nil && ctx.Err() == nil {
		l.mu.Lock()
		l.failed[name] = failedQuestion{time.Now(), err}
		l.mu.Unlock()
	}
	return err
}

// Unheard is a location that was asked in vain.
type Unheard struct {
	Location string
	Err      error
}

// AskEach asks one location after the other, as Ask does, until fn says that it has heard enough. What
// was not heard is told in the order of the configuration; the error is that of a context that has ended.
func (l *Set) AskEach(ctx context.Context, fn func(ctx context.Context, name string, loc *ebs.Location) (enough bool, err error)) ([]Unheard, error) {
	var unheard []Unheard
	for i := range l.cfg.VolumeSnapshotLocations {
		name, enough := l.cfg.VolumeSnapshotLocations[i].Name, false
		err := l.Ask(ctx, name, func(ctx context.Context, loc *ebs.Location) (err error) {
			enough, err = fn(ctx, name, loc)
			return err
		})
		switch {
		case ctx.Err() != nil:
			return unheard, ctx.Err()
		case err != nil:
			unheard = append(unheard, Unheard{name, err})
		case enough:
			return unheard, nil
		}
	}
	return unheard, nil
}

const (
	// quotaLimit bounds the question whose account the locations are of, and
	// quotaAgain is how long after an answer that did not help it is asked again.
	quotaLimit = 10 * time.Second
	quotaAgain = time.Minute
)

// SharedQuota is the quota of the account that the cluster's volumes are in. It is nil
// if no location tells, because there is none, because they are of several accounts or
// Regions, or because AWS does not answer: snapshots that need no location go on without.
func (l *Set) SharedQuota(ctx context.Context) *quota.Account {
	l.quotaMu.Lock()
	defer l.quotaMu.Unlock()
	if l.quota != nil || time.Since(l.quotaAsked) < quotaAgain {
		return l.quota
	}
	limited, cancel := context.WithTimeout(ctx, quotaLimit)
	defer cancel()
	l.quota, l.quotaAsked = l.commonQuota(limited), time.Now()
	return l.quota
}

func (l *Set) commonQuota(ctx context.Context) *quota.Account {
	var first *ebs.Location
	for i := range l.cfg.VolumeSnapshotLocations {
		_, loc, err := l.Get(ctx, l.cfg.VolumeSnapshotLocations[i].Name)
		switch {
		case err != nil:
			return nil
		case first == nil:
			first = loc
		case loc.Account() != first.Account() || loc.Region() != first.Region():
			return nil
		}
	}
	if first == nil {
		return nil
	}
	return first.Quota()
}

// Find returns the configuration of a location.
func (l *Set) Find(name string) (*velerov1.VolumeSnapshotLocation, error) {
	all := l.cfg.VolumeSnapshotLocations
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no location %q; none is configured: add it to volumeSnapshotLocations of the worker's configuration", name)
	}
	return nil, fmt.Errorf("no location %q; known are %s", name, l.known())
}

func (l *Set) known() string {
	names := make([]string, len(l.cfg.VolumeSnapshotLocations))
	for i := range names {
		names[i] = l.cfg.VolumeSnapshotLocations[i].Name
	}
	return strings.Join(names, ", ")
}
