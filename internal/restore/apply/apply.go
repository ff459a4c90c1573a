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
	// Waiting are batches before Batch with objects that wait for an obstacle to go. They are
	// not in the Result.
	Waiting []int `json:"waiting,omitempty"`
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
	a.pass = s.Plan.Plan.Levels[in.Level].Pass
	all := cutBatches(s.Plan.Plan.Levels[in.Level].Tasks[in.Task])
	if in.Deferred {
		err := a.applyDeferred(ctx, in, all, &cur)
		return cur.Result, err
	}
	a.defers = in.Defer
	for ; cur.Batch < len(all); cur.Batch++ {
		records, err := a.applyBatch(ctx, all[cur.Batch])
		if err != nil {
			return contract.ApplyResult{}, fmt.Errorf("apply level %d task %d: %w", in.Level, in.Task, err)
		}
		if err := s.PutRecords(ctx, in, cur.Batch, records); err != nil {
			return contract.ApplyResult{}, err
		}
		if isWaiting(records) {
			cur.Waiting = append(cur.Waiting, cur.Batch)
		} else {
			restore.Tally(&cur.Result, records)
		}
		next := applyCursor{Batch: cur.Batch + 1, Result: cur.Result, Waiting: cur.Waiting}
		if err := p.Mark(next, cur.Result.Counts.Total(), 0); err != nil {
			return contract.ApplyResult{}, err
		}
	}
	return cur.Result, a.finishWaiting(ctx, in, all, &cur)
}

// finishWaiting goes through the batches with objects that wait for an obstacle to go: at the
// end of the task, so that nothing else waits with them.
func (a *applier) finishWaiting(ctx context.Context, in contract.ApplyTaskInput, all []plan.Range, cur *applyCursor) error {
	for len(cur.Waiting) > 0 {
		batch := cur.Waiting[0]
		records, err := a.run.BatchRecords(ctx, in, batch)
		if err != nil {
			return err
		}
		if records, err = a.applyWaiting(ctx, all[batch], records); err != nil {
			return fmt.Errorf("apply level %d task %d: %w", in.Level, in.Task, err)
		}
		if err := a.run.PutRecords(ctx, in, batch, records); err != nil {
			return err
		}
		restore.Tally(&cur.Result, records)
		cur.Waiting = cur.Waiting[1:]
		if err := a.recorder.Mark(*cur, cur.Result.Counts.Total(), 0); err != nil {
			return err
		}
	}
	return nil
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
	pass        plan.Pass
	lookup      *restore.Lookup
	catalog     kube.Catalog
	transformer *transformer
	policy      policy
	namespaces  *namespaces
	obstacles   *obstacles
	defers      bool // leaves what a webhook keeps out to applyDeferred
}

func newApplier(ctx context.Context, r *restore.Service, s *restore.Run, p *heartbeat.Recorder, level plan.Level) (*applier, error) {
	types, err := r.Kube.Discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("discover resource types: %w", err)
	}
	if err := s.ReadDisks(ctx); err != nil {
		return nil, err
	}
	lookup := restore.NewLookup(ctx, s)
	t, err := newTransformer(s, r.Rules, types, lookup)
	if err != nil {
		return nil, err
	}
	return &applier{
		service: r, run: s, recorder: p, level: level, lookup: lookup, catalog: types,
		transformer: t, policy: newPolicy(s, r.Rules), namespaces: newNamespaces(r.Kube, t),
		obstacles: newObstacles(s.Stage, level),
	}, nil
}

// batch is a part of a task, whose objects are applied at the same time.
type batch struct {
	*applier
	mu      sync.Mutex
	records []restore.Record
	retries []*attempt
	waiting []*attempt
}

// applyBatch reads members once and applies their objects in parallel. Objects that the
// server refused are tried once more at the end: what they miss may have come with this
// batch, and what is being deleted in their place may have gone. Those that an obstacle keeps
// out are left for applyWaiting, with a record that says so.
func (a *applier) applyBatch(ctx context.Context, r plan.Range) ([]restore.Record, error) {
	b := &batch{applier: a}
	if err := b.applyRange(ctx, r); err != nil {
		return nil, err
	}
	if err := b.applyRetries(ctx); err != nil {
		return nil, err
	}
	b.records = append(b.records, a.namespaces.takeRecords()...)
	for _, at := range b.waiting {
		b.records = append(b.records, at.record)
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
		if plan.LevelOf(e.Resource) == b.level && mayPass(b.pass, e, body) && b.run.Includes(e.Resource, e.Namespace, e.Name) {
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

// applyRetries makes the second attempts, when what they wait for has gone.
func (b *batch) applyRetries(ctx context.Context) error {
	retries := b.retries
	if b.retries = nil; len(retries) == 0 {
		return nil
	}
	if err := b.awaitTerminations(ctx, retries); err != nil {
		return err
	}
	return b.applyAll(ctx, retries)
}

// applyAll makes attempts at the same time.
func (b *batch) applyAll(ctx context.Context, attempts []*attempt) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(b.service.Config.Limits.ApplyConcurrency)
	for _, at := range attempts {
		group.Go(func() error { return b.applyOne(gctx, at) })
	}
	return group.Wait()
}

// applyOne makes one attempt at an object.
func (b *batch) applyOne(ctx context.Context, at *attempt) error {
	rec, retry, err := b.applyObject(ctx, at)
	if err == nil {
		b.keep(rec, retry)
	}
	return err
}

// keep keeps the record of an attempt, unless another one follows.
func (b *batch) keep(rec restore.Record, retry *attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case retry != nil && retry.obstacle != "":
		b.waiting = append(b.waiting, retry)
		return
	case retry != nil:
		b.retries = append(b.retries, retry)
		return
	case rec.Action != "": // else it is not selected, or of another pass
		b.records = append(b.records, rec)
		b.recorder.Count(1, 0)
	}
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
