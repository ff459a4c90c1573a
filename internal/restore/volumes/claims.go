package volumes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// Patch looks at restored claims: those that a storage class provisions, and
// those whose disk was made for them. A provisioned volume that is there gets the
// reclaim policy and the labels that it had in the backup. Claims that are still to be
// bound are counted as pending, until their time is over. It may be called any number
// of times.
func Patch(ctx context.Context, r *restore.Service, in contract.PatchVolumesInput) (contract.PatchResult, error) {
	s, err := r.Planned(ctx, in.Ref)
	if err != nil {
		return contract.PatchResult{}, err
	}
	p := &claimWatcher{r: r, s: s, waited: time.Duration(in.Seconds) * time.Second, ends: map[string]restore.ClaimEnd{}}
	p.pods.kube = r.Kube
	if err := s.Stage.Get(ctx, repository.ClaimsFile, &p.ends); err != nil && !errors.Is(err, store.ErrNotFound) {
		return contract.PatchResult{}, err
	}
	if err := p.read(ctx); err != nil {
		return contract.PatchResult{}, err
	}
	if err := p.all(ctx); err != nil {
		return contract.PatchResult{}, err
	}
	return p.finish(ctx)
}

// claimWatcher works through the awaited claims of one restore.
type claimWatcher struct {
	r       *restore.Service
	s       *restore.Run
	waited  time.Duration
	applied map[string]bool // "namespace/name" in the target of claims that the restore made
	classes map[string]storagev1.StorageClass

	mu      sync.Mutex
	ends    map[string]restore.ClaimEnd
	pending int

	pods waitingPods
}

func (p *claimWatcher) read(ctx context.Context) (err error) {
	p.applied = map[string]bool{}
	err = p.s.Records(ctx, func(rec restore.Record) error {
		if rec.Resource == resource.PersistentVolumeClaims && rec.Action == string(report.Created) {
			p.applied[resource.ObjectName(rec.Namespace, rec.Name)] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.classes, err = kube.ListMap[storagev1.StorageClass](ctx, p.r.Kube, kube.StorageClasses(), "", "")
	if err != nil {
		return fmt.Errorf("list storage classes: %w", err)
	}
	return nil
}

func (p *claimWatcher) all(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(p.r.Config.Limits.ApplyConcurrency)
	for i := range p.s.Plan.Volumes.Volumes {
		v := &p.s.Plan.Volumes.Volumes[i]
		key := resource.ObjectName(v.Namespace, v.Claim)
		if _, done := p.ends[key]; done || !v.Awaited() || !p.applied[resource.ObjectName(v.Target, v.Claim)] {
			continue
		}
		group.Go(func() error {
			end, settled, err := p.one(gctx, v)
			p.mu.Lock()
			defer p.mu.Unlock()
			if settled {
				p.ends[key] = end
			} else {
				p.pending++
			}
			return err
		})
	}
	return group.Wait()
}

// one looks at one claim; settled says that it need not be looked at again.
func (p *claimWatcher) one(ctx context.Context, v *restore.Volume) (end restore.ClaimEnd, settled bool, err error) {
	claim, err := kube.Read[corev1.PersistentVolumeClaim](ctx, p.r.Kube, kube.Claims(), v.Target, v.Claim)
	if kube.IsNotFound(err) {
		return restore.ClaimEnd{}, true, nil // somebody has deleted it meanwhile
	}
	if err != nil {
		return restore.ClaimEnd{}, false, fmt.Errorf("look at claim %s/%s: %w", v.Target, v.Claim, err)
	}
	if claim.Status.Phase == corev1.ClaimBound && claim.Spec.VolumeName != "" {
		return p.bound(ctx, v, claim.Spec.VolumeName)
	}
	why, failed, err := p.trouble(ctx, v)
	switch {
	case err != nil:
		return restore.ClaimEnd{}, false, err
	case failed:
		return v.End(report.New(report.VolumeNotRestored, why)), true, nil
	}
	w, err := p.wait(ctx, v, &claim)
	if err != nil || p.waited < w.limit {
		return restore.ClaimEnd{}, false, err
	}
	return v.End(w.over(v, why)), true, nil
}

// trouble asks the snapshot that fills a claim what is wrong. failed says that waiting
// will not help: the provider does not know the snapshot.
func (p *claimWatcher) trouble(ctx context.Context, v *restore.Volume) (why string, failed bool, err error) {
	if v.Way != restore.WayCSI {
		return "", false, nil
	}
	c, err := kube.Read[snapshotv1.VolumeSnapshotContent](ctx, p.r.Kube, kube.VolumeSnapshotContents(), "", v.Snapshot.Name)
	if kube.IsNotFound(err) {
		return "its VolumeSnapshotContent " + v.Snapshot.Name + " is gone", true, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look at content %s: %w", v.Snapshot.Name, err)
	}
	if c.Status == nil || c.Status.Error == nil || c.Status.Error.Message == nil {
		return "", false, nil
	}
	why = fmt.Sprintf("snapshot %s: %s", v.Snapshot.Handle, *c.Status.Error.Message)
	// A first answer may be of before the snapshot could be seen.
	return why, csi.SaysSnapshotIsGone(*c.Status.Error.Message) && p.waited >= consumerFor, nil
}

// finish keeps what is settled, and counts.
func (p *claimWatcher) finish(ctx context.Context) (contract.PatchResult, error) {
	res := contract.PatchResult{Pending: p.pending}
	var out []restore.Record
	for _, key := range slices.Sorted(maps.Keys(p.ends)) {
		end := p.ends[key]
		if v := p.s.Index.Claims[key]; end.PV != "" && v != nil && v.Way == restore.WayCSI {
			res.Bound++
		}
		if len(end.Reasons) > 0 {
			out = append(out, restore.Record{Reasons: end.Reasons})
		}
	}
	for _, rec := range out {
		n := report.Tally(rec.Reasons)
		res.Warnings, res.Errors = res.Warnings+n.Warnings, res.Errors+n.Errors
	}
	if err := p.s.Stage.Put(ctx, repository.ClaimsFile, p.ends); err != nil {
		return res, err
	}
	return res, p.s.Stage.Put(ctx, repository.VolumeRecordsFile, out)
}
