package activities

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
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// claimEnd is what became of an awaited claim.
type claimEnd struct {
	PV      string          `json:"pv,omitempty"` // that it is bound to
	Reasons []report.Reason `json:"reasons,omitempty"`
}

// PatchVolumes looks at restored claims: those that a storage class provisions, and
// those whose disk was made for them. A provisioned volume that is there gets the
// reclaim policy and the labels that it had in the backup. Claims that are still to be
// bound are counted as pending, until their time is over. It may be called any number
// of times.
func (r *Restore) PatchVolumes(ctx context.Context, _ *heartbeat.Recorder, in contract.PatchVolumesInput) (contract.PatchResult, error) {
	s, err := r.planned(ctx, in.Ref)
	if err != nil {
		return contract.PatchResult{}, err
	}
	p := &claimWatcher{r: r, s: s, waited: time.Duration(in.Seconds) * time.Second, ends: map[string]claimEnd{}}
	p.pods.kube = r.Kube
	if err := s.stage.Get(ctx, repository.ClaimsFile, &p.ends); err != nil && !errors.Is(err, store.ErrNotFound) {
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
	r       *Restore
	s       *session
	waited  time.Duration
	applied map[string]bool // "namespace/name" in the target of claims that the restore made
	classes map[string]storagev1.StorageClass

	mu      sync.Mutex
	ends    map[string]claimEnd
	pending int

	pods waitingPods
}

func (p *claimWatcher) read(ctx context.Context) (err error) {
	p.applied = map[string]bool{}
	err = p.s.records(ctx, func(rec record) error {
		if rec.Resource == resource.PersistentVolumeClaims && rec.Action == string(report.Created) {
			p.applied[kube.ObjectName(rec.Namespace, rec.Name)] = true
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
	for i := range p.s.plan.Volumes.Volumes {
		v := &p.s.plan.Volumes.Volumes[i]
		key := kube.ObjectName(v.Namespace, v.Claim)
		if _, done := p.ends[key]; done || !v.awaited() || !p.applied[kube.ObjectName(v.Target, v.Claim)] {
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
func (p *claimWatcher) one(ctx context.Context, v *restoreVolume) (end claimEnd, settled bool, err error) {
	claim, err := kube.Read[corev1.PersistentVolumeClaim](ctx, p.r.Kube, kube.Claims(), v.Target, v.Claim)
	if kube.IsNotFound(err) {
		return claimEnd{}, true, nil // somebody has deleted it meanwhile
	}
	if err != nil {
		return claimEnd{}, false, fmt.Errorf("look at claim %s/%s: %w", v.Target, v.Claim, err)
	}
	if claim.Status.Phase == corev1.ClaimBound && claim.Spec.VolumeName != "" {
		return p.bound(ctx, v, claim.Spec.VolumeName)
	}
	why, failed, err := p.trouble(ctx, v)
	switch {
	case err != nil:
		return claimEnd{}, false, err
	case failed:
		return v.end(report.New(report.VolumeNotRestored, why)), true, nil
	}
	w, err := p.wait(ctx, v, &claim)
	if err != nil || p.waited < w.limit {
		return claimEnd{}, false, err
	}
	return v.end(w.over(v, why)), true, nil
}

// trouble asks the snapshot that fills a claim what is wrong. failed says that waiting
// will not help: the provider does not know the snapshot.
func (p *claimWatcher) trouble(ctx context.Context, v *restoreVolume) (why string, failed bool, err error) {
	if v.Way != wayCSI {
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

func (v *restoreVolume) end(why report.Reason) claimEnd {
	return claimEnd{Reasons: []report.Reason{why.At(resource.PersistentVolumeClaims, v.Target, v.Claim)}}
}

// finish keeps what is settled, and counts.
func (p *claimWatcher) finish(ctx context.Context) (contract.PatchResult, error) {
	res := contract.PatchResult{Pending: p.pending}
	var out []record
	for _, key := range slices.Sorted(maps.Keys(p.ends)) {
		end := p.ends[key]
		if v := p.s.index.claims[key]; end.PV != "" && v != nil && v.Way == wayCSI {
			res.Bound++
		}
		if len(end.Reasons) > 0 {
			out = append(out, record{Reasons: end.Reasons})
		}
	}
	for _, rec := range out {
		n := report.Tally(rec.Reasons)
		res.Warnings, res.Errors = res.Warnings+n.Warnings, res.Errors+n.Errors
	}
	if err := p.s.stage.Put(ctx, repository.ClaimsFile, p.ends); err != nil {
		return res, err
	}
	return res, p.s.stage.Put(ctx, repository.VolumeRecordsFile, out)
}
