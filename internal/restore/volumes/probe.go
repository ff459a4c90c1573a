package volumes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// probeTimes are how long drivers are waited for.
type probeTimes struct {
	// answer is how long nothing new may be said. A driver that works answers in a
	// second, its snapshotter notes some five answers a second (--kube-api-qps).
	answer time.Duration
	insist time.Duration // a driver has to say that long that a snapshot is not there
	every  time.Duration // between two looks
}

func usualProbe() probeTimes {
	return probeTimes{answer: 15 * time.Second, insist: csi.InsistFor, every: 400 * time.Millisecond}
}

// Probe is probeSnapshots with the usual times.
func Probe(ctx context.Context, r *restore.Service, s *restore.Run, plan *restore.Volumes) ([]report.Reason, error) {
	return probeSnapshots(ctx, r, s, plan, usualProbe())
}

// probeSnapshots has the drivers look for the snapshots that EC2 was not asked about. The
// contents that stand for them are made before anything else; they are bound to
// nothing yet, and their driver's snapshotter says on them whether it finds the
// snapshot. A snapshot that is missing is an error; what was made is then deleted by
// sweep, otherwise fill uses it. It may repeat.
func probeSnapshots(ctx context.Context, r *restore.Service, s *restore.Run, plan *restore.Volumes, times probeTimes) ([]report.Reason, error) {
	p := &prober{r: r, s: s, times: times, volumes: plan.Filled(func(v *restore.Volume) bool { return !v.Snapshot.Known })}
	if len(p.volumes) == 0 || s.Restore.DryRun {
		return nil, nil
	}
	if err := p.make(ctx); err != nil {
		return nil, fmt.Errorf("look for snapshots: %w", err)
	}
	if err := p.await(ctx); err != nil {
		return nil, fmt.Errorf("look for snapshots: %w", err)
	}
	return p.judge()
}

// prober asks the drivers of one restore.
type prober struct {
	r       *restore.Service
	s       *restore.Run
	times   probeTimes
	volumes map[string]*restore.Volume // by the name of the content
	answers map[string]csi.Answer
}

func (p *prober) make(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(p.r.Config.Limits.ApplyConcurrency)
	for _, v := range p.volumes {
		group.Go(func() error {
			_, err := kube.Make(gctx, p.r.Kube, kube.VolumeSnapshotContents(), "", p.s.Content(v), kube.CreateOptions{FieldManager: resource.FieldManager})
			if kube.IsAlreadyExists(err) {
				return nil // by an attempt before this one
			}
			return err
		})
	}
	return group.Wait()
}

// await looks until every driver has answered, or none says anything new any more.
func (p *prober) await(ctx context.Context) error {
	for last, said := time.Now(), 0; ; {
		if err := p.listen(ctx); err != nil {
			return err
		}
		if n := p.said(); n > said {
			last, said = time.Now(), n
		}
		if quiet := time.Since(last); quiet >= p.times.answer || p.open(quiet >= p.times.insist) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(p.times.every):
		}
	}
}

// listen reads what the drivers say now.
func (p *prober) listen(ctx context.Context) error {
	contents, err := contentsOf(ctx, p.r, p.s.Restore.Name)
	if err != nil {
		return err
	}
	p.answers = map[string]csi.Answer{}
	for name := range p.volumes {
		p.answers[name] = csi.AnswerOn(contents[name])
	}
	return nil
}

// said is of how many snapshots a driver has said anything.
func (p *prober) said() int {
	n := 0
	for _, a := range p.answers {
		if a.Known || a.Text != "" {
			n++
		}
	}
	return n
}

// open is how many snapshots are still to be found; insisted says that those that the
// driver does not find will not be.
func (p *prober) open(insisted bool) int {
	n := 0
	for _, a := range p.answers {
		if !a.Known && (!insisted || !csi.SaysSnapshotIsGone(a.Text)) {
			n++
		}
	}
	return n
}

// contentsOf are those that a restore has made, by name.
func contentsOf(ctx context.Context, r *restore.Service, name string) (map[string]snapshotv1.VolumeSnapshotContent, error) {
	out, err := kube.ListMap[snapshotv1.VolumeSnapshotContent](ctx, r.Kube, kube.VolumeSnapshotContents(), "", resource.LabelRestore+"="+resource.LabelValue(name))
	if err != nil {
		return nil, fmt.Errorf("list volume snapshot contents: %w", err)
	}
	return out, nil
}

// judge refuses the restore if a driver does not find a snapshot, and remarks on those
// of which no driver spoke clearly.
func (p *prober) judge() ([]report.Reason, error) {
	var reasons []report.Reason
	var refused refusals
	for _, name := range slices.Sorted(maps.Keys(p.volumes)) {
		v, a := p.volumes[name], p.answers[name]
		switch {
		case a.Known:
		case csi.SaysSnapshotIsGone(a.Text):
			refused.add(contract.ErrTypeNotFound, "claim %s: the driver %s does not find snapshot %s (%s); restore another backup, or this one without data (--restore-volumes=false)",
				resource.ObjectName(v.Namespace, v.Claim), v.Snapshot.Driver, v.Snapshot.Handle, a.Text)
		default:
			text := a.Text
			if text == "" {
				text = fmt.Sprintf("no answer after %s; check that the driver's snapshotter runs", p.times.answer)
			}
			reasons = append(reasons, report.New(report.SnapshotUnchecked,
				fmt.Sprintf("whether driver %s finds snapshot %s is not known: %s", v.Snapshot.Driver, v.Snapshot.Handle, text)).At(resource.PersistentVolumeClaims, v.Target, v.Claim))
		}
	}
	return reasons, refused.err("backup " + p.s.Archive.Backup)
}
