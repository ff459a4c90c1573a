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

	quotaMu    sync.Mutex
	quota      *quota.Account // see SharedQuota
	quotaAsked time.Time
}

// Open connects to EC2 as a location says.
type Open func(context.Context, *velerov1.VolumeSnapshotLocation) (*ebs.Location, error)

// New returns the locations of cfg, each of which open opens when it is
// needed.
func New(cfg *config.Config, open Open) *Set {
	return &Set{cfg: cfg, opened: map[string]*ebs.Location{}, open: open}
}

// Config is the configuration that the locations are of.
func (l *Set) Config() *config.Config { return l.cfg }

// envClusterName is Velero's environment variable: the cluster's name in AWS.
// Restored volumes are tagged as owned by it.
const envClusterName = "AWS_CLUSTER_NAME"

// OpenEBS opens locations that share one limiter, since limits are the account's. secret
// reads a key of a Secret in the worker's namespace.
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
	l.mu.Lock()
	defer l.mu.Unlock()
	if loc, ok := l.opened[name]; ok {
		return doc, loc, nil
	}
	loc, err := l.open(ctx, doc)
	if err != nil {
		return nil, nil, err
	}
	l.opened[name] = loc
	return doc, loc, nil
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
