package apply

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// RelinkOwners gives restored objects their owners back: by name, with the owner's
// new uid, where the owner is part of this restore. It may repeat: a link that is
// there is left alone.
func RelinkOwners(ctx context.Context, r *restore.Service, in contract.RelinkOwnersInput) (contract.ApplyResult, error) {
	s, err := r.Planned(ctx, in.Ref)
	if err != nil {
		return contract.ApplyResult{}, err
	}
	l, err := newLinker(ctx, r, s)
	if err != nil {
		return contract.ApplyResult{}, err
	}
	if err := l.linkAll(ctx); err != nil {
		return contract.ApplyResult{}, fmt.Errorf("link owners: %w", err)
	}
	n := report.Tally(l.reasons)
	res := contract.ApplyResult{Records: 1, Warnings: n.Warnings, Errors: n.Errors}
	return res, s.Stage.PutLatest(ctx, repository.RelinkRecordsFile, recordOfReasons(l.reasons))
}

// linker links objects to their owners.
type linker struct {
	service   *restore.Service
	run       *restore.Run
	catalog   kube.Catalog
	lookup    *restore.Lookup
	obstacles *obstacles

	mu      sync.Mutex
	reasons []report.Reason
}

func newLinker(ctx context.Context, r *restore.Service, s *restore.Run) (*linker, error) {
	catalog, err := r.Kube.Discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("discover resource types: %w", err)
	}
	return &linker{
		service: r, run: s, catalog: catalog, lookup: restore.NewLookup(ctx, s),
		obstacles: newObstacles(s.Stage, plan.Admission),
	}, nil
}

// linkAll links what has owners and was restored, by this run or by one before that could
// not link it.
func (l *linker) linkAll(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(l.service.Config.Limits.ApplyConcurrency)
	err := l.run.Records(ctx, func(rec restore.Record) error {
		if len(rec.Owners) > 0 && rec.Action != string(report.Failed) {
			group.Go(func() error { return l.linkObject(gctx, rec) })
		}
		return gctx.Err()
	})
	if werr := group.Wait(); werr != nil {
		return werr
	}
	return err
}

// linkTries is how often an object is read and written at most: one that changes
// between the two is read again.
const linkTries = 5

// linkObject links one object. Where the server refuses that, it is a reason of the
// object; the error is for a cluster or store that cannot be reached.
func (l *linker) linkObject(ctx context.Context, rec restore.Record) error {
	res, ok := l.catalog.OfKind(rec.APIVersion, rec.Kind)
	if !ok {
		return nil
	}
	for try := 1; ; try++ {
		link := &ownerLink{linker: l, rec: rec}
		err := link.addOwners(ctx, res)
		if failed := l.lookup.Failed(); failed != nil {
			return failed
		}
		if down := l.service.Outage(ctx, err); down != nil {
			return down
		}
		if try < linkTries && kube.IsConflict(err) || try == 1 && kube.IsUnavailable(err) {
			continue // changed in between, or an outage that has just ended
		}
		if o := obstacleOf(err); o != "" {
			again, werr := l.obstacles.pause(ctx, o)
			if werr != nil {
				return werr
			}
			if again {
				continue
			}
		}
		if err != nil {
			link.noteRefusal(err)
		}
		l.addReasons(link.reasons)
		return nil
	}
}

func (l *linker) addReasons(reasons []report.Reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reasons = append(l.reasons, reasons...)
}

// readObject reads an object; one that is not there is nil without an error.
func (l *linker) readObject(ctx context.Context, res kube.Resource, ns, name string) (obj map[string]any, err error) {
	raw, err := l.service.Kube.Get(ctx, res, ns, name)
	if kube.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(raw, &obj)
	return obj, err
}
