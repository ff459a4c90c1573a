package apply

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// batchMembers is how many archive members lie between two watermarks: 16 members
// of at most 128 objects are a second or two of work, which a killed worker repeats.
const batchMembers = 16

// applyCursor is the watermark of a task: batches before it have their records in
// staging.
type applyCursor struct {
	Batch  int                  `json:"batch"`
	Result contract.ApplyResult `json:"result"`
}

// Task brings the objects of one task into the cluster, all at once as far as the
// client's limiter allows. It resumes at its watermark; an object that an earlier
// attempt created is recognised and counted as created.
func Task(ctx context.Context, r *restore.Service, p *heartbeat.Recorder, in contract.ApplyTaskInput) (contract.ApplyResult, error) {
	s, err := r.Planned(ctx, in.Ref)
	if err != nil {
		return contract.ApplyResult{}, err
	}
	var cur applyCursor
	if _, err := p.Resume(&cur); err != nil {
		return contract.ApplyResult{}, err
	}
	a, err := newApplier(ctx, r, s, p, s.Plan.Plan.Levels[in.Level].Level)
	if err != nil {
		return contract.ApplyResult{}, err
	}
	all := batches(s.Plan.Plan.Levels[in.Level].Tasks[in.Task])
	for ; cur.Batch < len(all); cur.Batch++ {
		records, err := a.batch(ctx, all[cur.Batch])
		if err != nil {
			return contract.ApplyResult{}, fmt.Errorf("apply level %d task %d: %w", in.Level, in.Task, err)
		}
		if err := s.PutRecords(ctx, in, cur.Batch, records); err != nil {
			return contract.ApplyResult{}, err
		}
		restore.Tally(&cur.Result, records)
		next := applyCursor{Batch: cur.Batch + 1, Result: cur.Result}
		if err := p.Mark(next, cur.Result.Counts.Total(), 0); err != nil {
			return contract.ApplyResult{}, err
		}
	}
	return cur.Result, nil
}

// batches cuts a task's ranges at watermarks.
func batches(t plan.Task) []plan.Range {
	var out []plan.Range
	for _, r := range t.Ranges {
		for from := r.From; from < r.To; from += batchMembers {
			out = append(out, plan.Range{From: from, To: min(from+batchMembers, r.To)})
		}
	}
	return out
}

// applier applies objects of one level.
type applier struct {
	r        *restore.Service
	s        *restore.Run
	recorder *heartbeat.Recorder
	level    plan.Level
	cat      kube.Catalog
	rules    *resource.Context
	look     *restore.Lookup
	names    *namespaces
}

func newApplier(ctx context.Context, r *restore.Service, s *restore.Run, p *heartbeat.Recorder, level plan.Level) (*applier, error) {
	cat, err := r.Kube.Discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("discover resource types: %w", err)
	}
	if err := s.ReadDisks(ctx); err != nil {
		return nil, err
	}
	a := &applier{r: r, s: s, recorder: p, level: level, cat: cat}
	a.look = &restore.Lookup{Ctx: ctx, S: s, Keys: map[string]map[string]bool{}, Versions: map[string][]string{}}
	a.rules = ruleContext(s, a.look)
	if err := s.Changes.Apply(a.rules); err != nil {
		return nil, err
	}
	a.rules.StatusSubresource = cat.HasStatus
	a.names = &namespaces{a: a, ready: map[string]*sync.Once{}, failed: map[string]error{}}
	return a, nil
}

// ruleContext is what the per-kind rules may know of this restore.
func ruleContext(s *restore.Run, look *restore.Lookup) *resource.Context {
	spec := s.Restore.Spec
	c := &resource.Context{
		Backup: s.Archive.Backup, Restore: s.Restore.Name, RestoreUID: s.UID,
		NamespaceMapping:  spec.NamespaceMapping,
		PreserveNodePorts: spec.PreserveNodePorts != nil && *spec.PreserveNodePorts,
		SkipVolumes:       spec.RestorePVs != nil && !*spec.RestorePVs,
		RestoreStatus:     func(gr string) bool { return s.Plan.Filter.RestoreStatus(gr, nil) },
		Has:               look.Has, ServiceSelects: look.ServiceSelects,
		Hooks: spec.Hooks,
	}
	s.VolumeRules(c)
	return c
}

// batch reads members once and applies their objects in parallel. Objects that the
// server refused are tried once more at the end: what they miss may have come with
// this batch, and what is being deleted in their place may have gone.
func (a *applier) batch(ctx context.Context, r plan.Range) ([]restore.Record, error) {
	var (
		mu      sync.Mutex
		records []restore.Record
		refused []*item
	)
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(a.r.Config.Limits.ApplyConcurrency)
	apply := func(it *item) {
		group.Go(func() error {
			rec, err := a.apply(gctx, it)
			mu.Lock()
			defer mu.Unlock()
			if rec.Action == string(report.Failed) && !it.again {
				it.again = true
				refused = append(refused, it)
				return err
			}
			records = append(records, rec)
			a.recorder.Count(1, 0)
			return err
		})
	}
	err := a.s.Arc.Walk(gctx, r.From, r.To, func(_ int, e archive.Entry, body []byte) error {
		if plan.LevelOf(e.Resource) == a.level && a.s.Includes(e.Resource, e.Namespace, e.Name) {
			apply(&item{entry: e, body: bytes.Clone(body)})
		}
		return gctx.Err()
	})
	if werr := group.Wait(); werr != nil {
		return nil, werr
	}
	if err != nil {
		return nil, err
	}
	if err := a.awaitGone(ctx, refused); err != nil {
		return nil, err
	}
	group, gctx = errgroup.WithContext(ctx)
	for _, it := range refused {
		apply(it)
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	records = selected(records)
	if a.s.Restore.DryRun {
		inPlanWords(records)
	}
	return records, a.look.Failed()
}

// inPlanWords names what would be done, where apply has named what was done.
func inPlanWords(records []restore.Record) {
	for i := range records {
		switch records[i].Action {
		case string(report.Skipped):
			records[i].Action = restore.PlanSkip
		case string(report.Failed):
			records[i].Action = restore.PlanFail
		}
	}
}

// selected drops objects that the label selector did not select.
func selected(records []restore.Record) []restore.Record {
	out := records[:0]
	for _, r := range records {
		if r.Action != "" {
			out = append(out, r)
		}
	}
	return out
}
