package volumes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

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
	"github.com/lifeboat-backup/lifeboat/internal/volume"
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
	p := &claimWatcher{
		r: r, s: s, waited: time.Duration(in.Seconds) * time.Second, ends: map[string]restore.ClaimEnd{}, pending: map[string]string{},
	}
	p.pods.kube = r.Kube
	if err := s.Stage.GetLatest(ctx, repository.ClaimsFile, &p.ends); err != nil && !errors.Is(err, store.ErrNotFound) {
		return contract.PatchResult{}, err
	}
	if err := p.readCluster(ctx); err != nil {
		return contract.PatchResult{}, err
	}
	if err := p.checkAll(ctx); err != nil {
		return contract.PatchResult{}, err
	}
	return p.recordEnds(ctx)
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
	pending map[string]string // "namespace/name" in the target: what the claim waits for

	pods waitingPods
}

func (p *claimWatcher) readCluster(ctx context.Context) (err error) {
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

func (p *claimWatcher) checkAll(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(p.r.Config.Limits.ApplyConcurrency)
	for i := range p.s.Plan.Volumes.Volumes {
		v := &p.s.Plan.Volumes.Volumes[i]
		key := v.ClaimKey()
		if _, done := p.ends[key]; done || !v.Awaited() || !p.applied[resource.ObjectName(v.Target, v.Claim)] {
			continue
		}
		group.Go(func() error {
			end, settled, err := p.checkClaim(gctx, v)
			p.mu.Lock()
			defer p.mu.Unlock()
			if settled {
				p.ends[key] = end
			} else {
				name := resource.ObjectName(v.Target, v.Claim)
				p.pending[name] = cmp.Or(p.pending[name], "a volume")
			}
			return err
		})
	}
	return group.Wait()
}

// checkClaim looks at one claim; settled says that it need not be looked at again.
func (p *claimWatcher) checkClaim(ctx context.Context, v *volume.Restore) (end restore.ClaimEnd, settled bool, err error) {
	claim, err := kube.Read[corev1.PersistentVolumeClaim](ctx, p.r.Kube, kube.Claims(), v.Target, v.Claim)
	if kube.IsNotFound(err) {
		return restore.ClaimEnd{}, true, nil // somebody has deleted it meanwhile
	}
	if err != nil {
		return restore.ClaimEnd{}, false, fmt.Errorf("look at claim %s/%s: %w", v.Target, v.Claim, err)
	}
	if claim.Status.Phase == corev1.ClaimBound && claim.Spec.VolumeName != "" {
		return p.patchBound(ctx, v, &claim)
	}
	d, err := p.diagnose(ctx, v)
	switch {
	case err != nil:
		return restore.ClaimEnd{}, false, err
	case d.IsFinal:
		return restore.EndOf(v, report.New(report.VolumeNotRestored, d.Problem)), true, nil
	}
	w, err := p.waitFor(ctx, v, &claim)
	if err != nil || p.waited < w.limit {
		p.noteWait(v, w.next+volume.After(d.Problem))
		return restore.ClaimEnd{}, false, err
	}
	return restore.EndOf(v, w.timeoutReason(v, d.Problem)), true, nil
}

// noteWait keeps what a claim waits for, for people.
func (p *claimWatcher) noteWait(v *volume.Restore, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending[resource.ObjectName(v.Target, v.Claim)] = what
}

// waitsText says what the first of the pending claims waits for, and how many there are.
func (p *claimWatcher) waitsText() string {
	names := slices.Sorted(maps.Keys(p.pending))
	if len(names) == 0 {
		return ""
	}
	others := ""
	if n := len(names) - 1; n > 0 {
		others = fmt.Sprintf(" and %d others", n)
	}
	return fmt.Sprintf("%s (claim %s%s)", p.pending[names[0]], names[0], others)
}

// diagnose asks the driver of a claim's data what is wrong with it.
func (p *claimWatcher) diagnose(ctx context.Context, v *volume.Restore) (volume.Diagnosis, error) {
	if !v.HasData() {
		return volume.Diagnosis{}, nil
	}
	d, err := p.r.RestorerOf(p.s.ForDrivers(), v)
	if err != nil {
		return volume.Diagnosis{}, err
	}
	return d.Diagnose(ctx, v, p.waited)
}

// recordEnds keeps what is settled, and counts.
func (p *claimWatcher) recordEnds(ctx context.Context) (contract.PatchResult, error) {
	res := contract.PatchResult{Pending: len(p.pending), Waits: p.waitsText()}
	var out []restore.Record
	for _, key := range slices.Sorted(maps.Keys(p.ends)) {
		end := p.ends[key]
		if v := p.s.Index.Claims[key]; end.PV != "" && v != nil && v.IsFilled() {
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
	if err := p.s.Stage.PutLatest(ctx, repository.ClaimsFile, p.ends); err != nil {
		return res, err
	}
	return res, p.s.Stage.PutLatest(ctx, repository.VolumeRecordsFile, out)
}
