package location

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

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
	limits := ebs.DefaultLimits()
	limits.Pending = cmp.Or(cfg.Limits.PendingSnapshots, limits.Pending)
	options := ebs.Options{Limits: ebs.NewPool(limits), ClusterName: os.Getenv(envClusterName), Secret: secret}
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
