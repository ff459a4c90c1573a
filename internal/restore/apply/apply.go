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
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
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
	all := cutBatches(s.Plan.Plan.Levels[in.Level].Tasks[in.Task])
	for ; cur.Batch < len(all); cur.Batch++ {
		records, err := a.applyBatch(ctx, all[cur.Batch])
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

// cutBatches cuts a task's ranges of members at watermarks.
func cutBatches(t plan.Task) []plan.Range {
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
	service     *restore.Service
	run         *restore.Run
	recorder    *heartbeat.Recorder
	level       plan.Level
	lookup      *restore.Lookup
	transformer *transformer
	policy      policy
	namespaces  *namespaces
}

func newApplier(ctx context.Context, r *restore.Service, s *restore.Run, p *heartbeat.Recorder, level plan.Level) (*applier, error) {
	types, err := r.Kube.Discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("discover resource types: %w", err)
	}
	if err := s.ReadDisks(ctx); err != nil {
		return nil, err
	}
	lookup := newLookup(ctx, s)
	t, err := newTransformer(s, r.Rules, types, lookup)
	if err != nil {
		return nil, err
	}
	return &applier{
		service: r, run: s, recorder: p, level: level, lookup: lookup,
		transformer: t, policy: newPolicy(s, r.Rules), namespaces: newNamespaces(r.Kube, t),
	}, nil
}

func newLookup(ctx context.Context, s *restore.Run) *restore.Lookup {
	return &restore.Lookup{Ctx: ctx, S: s, Keys: map[string]map[string]bool{}, Versions: map[string][]string{}}
}

// batch is a part of a task, whose objects are applied at the same time.
type batch struct {
	*applier
	mu      sync.Mutex
	records []restore.Record
	retries []*attempt
}

// applyBatch reads members once and applies their objects in parallel. Objects that the
// server refused are tried once more at the end: what they miss may have come with this
// batch, and what is being deleted in their place may have gone.
func (a *applier) applyBatch(ctx context.Context, r plan.Range) ([]restore.Record, error) {
	b := &batch{applier: a}
	if err := b.applyRange(ctx, r); err != nil {
		return nil, err
	}
	if err := a.awaitTerminations(ctx, b.retries); err != nil {
		return nil, err
	}
	if err := b.applyRetries(ctx); err != nil {
		return nil, err
	}
	if a.policy.dryRun {
		useWordsOfPlan(b.records)
	}
	return b.records, a.lookup.Failed()
}

// applyRange makes the first attempt at each selected object of some members.
func (b *batch) applyRange(ctx context.Context, r plan.Range) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(b.service.Config.Limits.ApplyConcurrency)
	err := b.run.Arc.Walk(gctx, r.From, r.To, func(_ int, e archive.Entry, body []byte) error {
		if plan.LevelOf(e.Resource) == b.level && b.run.Includes(e.Resource, e.Namespace, e.Name) {
			at := &attempt{storedObject: storedObject{e, bytes.Clone(body)}}
			group.Go(func() error { return b.applyOne(gctx, at) })
		}
		return gctx.Err()
	})
	if werr := group.Wait(); werr != nil {
		return werr
	}
	return err
}

// applyRetries makes the second attempts.
func (b *batch) applyRetries(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	for _, at := range b.retries {
		group.Go(func() error { return b.applyOne(gctx, at) })
	}
	return group.Wait()
}

// applyOne makes one attempt at an object, and keeps its record unless a second one
// follows.
func (b *batch) applyOne(ctx context.Context, at *attempt) error {
	rec, retry, err := b.applyObject(ctx, at)
	b.mu.Lock()
	defer b.mu.Unlock()
	if retry != nil {
		b.retries = append(b.retries, retry)
		return err
	}
	if rec.Action != "" { // else it is not selected
		b.records = append(b.records, rec)
	}
	b.recorder.Count(1, 0)
	return err
}

// useWordsOfPlan names what would be done, where records name what was done.
func useWordsOfPlan(records []restore.Record) {
	for i := range records {
		switch records[i].Action {
		case string(report.Skipped):
			records[i].Action = restore.PlanSkip
		case string(report.Failed):
			records[i].Action = restore.PlanFail
		}
	}
}
