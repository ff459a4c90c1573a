package csi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// probeTimes are how long drivers are waited for.
type probeTimes struct {
	// answer is how long nothing new may be said. A driver that works answers in a
	// second, its snapshotter notes some five answers a second (--kube-api-qps).
	answer time.Duration
	insist time.Duration // a driver has to say that long that a snapshot is not there
	pause  time.Duration // between two looks
}

func defaultProbeTimes() probeTimes {
	return probeTimes{answer: 15 * time.Second, insist: InsistFor, pause: 400 * time.Millisecond}
}

// Probe has the drivers look for the snapshots that EC2 was not asked about. The contents
// that stand for them are made before anything else; they are bound to nothing yet, and
// their driver's snapshotter says on them whether it finds the snapshot. A snapshot that
// is missing is a refusal; what was made is then deleted by Sweep, otherwise ClaimObjects
// names it again.
func (r *Restorer) Probe(ctx context.Context, all []*volume.Restore) (volume.Findings, error) {
	p := &prober{Restorer: r, times: r.probe, volumes: bySnapshotName(all)}
	maps.DeleteFunc(p.volumes, func(_ string, v *volume.Restore) bool { return v.Snapshot.Known })
	if p.times == (probeTimes{}) {
		p.times = defaultProbeTimes()
	}
	if len(p.volumes) == 0 {
		return volume.Findings{}, nil
	}
	if err := p.createContents(ctx); err != nil {
		return volume.Findings{}, fmt.Errorf("look for snapshots: %w", err)
	}
	if err := p.awaitAnswers(ctx); err != nil {
		return volume.Findings{}, fmt.Errorf("look for snapshots: %w", err)
	}
	return p.findings(), nil
}

// bySnapshotName has volumes by the name of the VolumeSnapshot and the content that fill
// their claims.
func bySnapshotName(all []*volume.Restore) map[string]*volume.Restore {
	out := map[string]*volume.Restore{}
	for _, v := range all {
		if v.Snapshot != nil {
			out[v.Snapshot.Name] = v
		}
	}
	return out
}

// prober is one call of Probe.
type prober struct {
	*Restorer
	times   probeTimes
	volumes map[string]*volume.Restore // by the name of the content
	answers map[string]Answer
}

func (p *prober) createContents(ctx context.Context) error {
	all := slices.Collect(maps.Values(p.volumes))
	return parallel.ForEach(ctx, p.Window, all, func(ctx context.Context, v *volume.Restore) error {
		_, err := kube.Make(ctx, p.Kube, kube.VolumeSnapshotContents(), "", p.restoredContent(v), kube.CreateOptions{FieldManager: resource.FieldManager})
		if kube.IsAlreadyExists(err) {
			return nil // by an attempt before this one
		}
		return err
	})
}

// awaitAnswers looks until every driver has answered, or none says anything new any more.
func (p *prober) awaitAnswers(ctx context.Context) error {
	for last, answered := time.Now(), 0; ; {
		if err := p.readAnswers(ctx); err != nil {
			return err
		}
		if n := p.countAnswered(); n > answered {
			last, answered = time.Now(), n
		}
		if quiet := time.Since(last); quiet >= p.times.answer || p.countOpen(quiet >= p.times.insist) == 0 {
			return nil
		}
		if err := poll.Wait(ctx, p.times.pause); err != nil {
			return err
		}
	}
}

// readAnswers reads what the drivers say now.
func (p *prober) readAnswers(ctx context.Context) error {
	contents, err := p.listContents(ctx)
	if err != nil {
		return err
	}
	p.answers = map[string]Answer{}
	for name := range p.volumes {
		p.answers[name] = AnswerOn(contents[name])
	}
	return nil
}

// countAnswered counts the snapshots of which a driver has said anything.
func (p *prober) countAnswered() int {
	n := 0
	for _, a := range p.answers {
		if a.Known || a.Text != "" {
			n++
		}
	}
	return n
}

// countOpen counts the snapshots that are still to be found. Once drivers have had the time to look again
// (hasInsisted), one whose driver says that it is gone counts no more.
func (p *prober) countOpen(hasInsisted bool) int {
	n := 0
	for name, a := range p.answers {
		if !a.Known && (!hasInsisted || !SaysSnapshotIsGone(a.Text, p.volumes[name].Snapshot.Handle)) {
			n++
		}
	}
	return n
}

// listContents are the contents that the restore has made, by name.
func (r *Restorer) listContents(ctx context.Context) (map[string]snapshotv1.VolumeSnapshotContent, error) {
	out, err := kube.ListMap[snapshotv1.VolumeSnapshotContent](ctx, r.Kube, kube.VolumeSnapshotContents(), "", resource.LabelRestore+"="+resource.LabelValue(r.Run.Name))
	if err != nil {
		return nil, fmt.Errorf("list volume snapshot contents: %w", err)
	}
	return out, nil
}

// findings refuse the restore if a driver does not find a snapshot, and remark on those of
// which no driver spoke clearly.
func (p *prober) findings() volume.Findings {
	var out volume.Findings
	for _, name := range slices.Sorted(maps.Keys(p.volumes)) {
		v, a := p.volumes[name], p.answers[name]
		switch {
		case a.Known:
		case SaysSnapshotIsGone(a.Text, v.Snapshot.Handle):
			out.Refuse(contract.ErrTypeNotFound, "claim %s: the driver %s does not find snapshot %s (%s); restore another backup, or this one without data (--restore-volumes=false)",
				v.ClaimKey(), v.Snapshot.Driver, v.Snapshot.Handle, a.Text)
		default:
			text := a.Text
			if text == "" {
				text = fmt.Sprintf("no answer after %s; check that the driver's snapshotter runs", p.times.answer)
			}
			out.Remark(v, report.New(report.SnapshotUnchecked,
				fmt.Sprintf("whether driver %s finds snapshot %s is not known: %s", v.Snapshot.Driver, v.Snapshot.Handle, text)))
		}
	}
	return out
}
