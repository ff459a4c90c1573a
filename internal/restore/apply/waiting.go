package apply

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// isWaiting says that objects of a batch wait for an obstacle to go.
func isWaiting(records []restore.Record) bool {
	for _, rec := range records {
		if rec.Waits != "" {
			return true
		}
	}
	return false
}

// applyWaiting tries the objects of a batch again that wait for an obstacle to go, until it
// has gone or its time is over. The records are those of the whole batch.
func (a *applier) applyWaiting(ctx context.Context, r plan.Range, staged []restore.Record) ([]restore.Record, error) {
	b := &batch{applier: a}
	waiting := map[archive.Key]restore.Record{}
	for _, rec := range staged {
		if rec.Waits == "" {
			b.records = append(b.records, rec)
			continue
		}
		waiting[rec.Origin()] = rec
	}
	if err := b.readWaiting(ctx, r, waiting); err != nil {
		return nil, err
	}
	for _, rec := range waiting { // not in the archive: what its record says holds
		rec.Waits = ""
		b.records = append(b.records, rec)
	}
	defer a.recorder.WaitsFor("")
	for pause := terminationFirstPause; ; pause = min(2*pause, terminationMaxPause) {
		a.recorder.WaitsFor(b.obstaclesText())
		if err := b.applyRound(ctx); err != nil {
			return nil, err
		}
		if len(b.waiting) == 0 {
			return b.records, a.lookup.Failed()
		}
		if err := poll.Wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// obstaclesText names what the objects wait for: one, and how many more there are.
func (b *batch) obstaclesText() string {
	names := map[string]bool{}
	for _, at := range b.waiting {
		names[string(at.obstacle)] = true
	}
	sorted := slices.Sorted(maps.Keys(names))
	switch len(sorted) {
	case 0:
		return ""
	case 1:
		return sorted[0]
	}
	return fmt.Sprintf("%s and %d more", sorted[0], len(sorted)-1)
}

// readWaiting reads the objects that wait, and takes them out of waiting. Their bodies are
// held while they do: those of one batch.
func (b *batch) readWaiting(ctx context.Context, r plan.Range, waiting map[archive.Key]restore.Record) error {
	return b.run.Arc.Walk(ctx, r.From, r.To, func(_ int, e archive.Entry, body []byte) error {
		key := archive.Key{Resource: e.Resource, Namespace: e.Namespace, Name: e.Name}
		if rec, ok := waiting[key]; ok {
			b.waiting = append(b.waiting, &attempt{storedObject: storedObject{e, bytes.Clone(body)}, obstacle: obstacle(rec.Waits), record: rec})
			delete(waiting, key)
		}
		return ctx.Err()
	})
}

// applyRound tries once whether each obstacle has gone.
func (b *batch) applyRound(ctx context.Context) error {
	byObstacle := map[obstacle][]*attempt{}
	for _, at := range b.waiting {
		byObstacle[at.obstacle] = append(byObstacle[at.obstacle], at)
	}
	b.waiting = nil
	for o := range byObstacle {
		if !o.isType() {
			continue
		}
		if err := b.discoverTypes(ctx); err != nil {
			return err
		}
		break
	}
	group, gctx := errgroup.WithContext(ctx)
	for o, all := range byObstacle {
		group.Go(func() error { return b.applyUnlessBlocked(gctx, o, all) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return b.applyRetries(ctx)
}

// discoverTypes asks again which types the cluster serves.
func (a *applier) discoverTypes(ctx context.Context) error {
	types, err := a.service.Kube.Discover(ctx)
	if err != nil {
		return fmt.Errorf("discover resource types: %w", err)
	}
	a.catalog, a.transformer.types, a.transformer.rules.StatusSubresource = types, types, types.HasStatus
	return nil
}

// applyUnlessBlocked tries one of the objects that wait for the same obstacle, and all of
// them if it has gone: each try at a webhook that is down may take the server 10 s.
func (b *batch) applyUnlessBlocked(ctx context.Context, o obstacle, all []*attempt) error {
	end, err := b.obstacles.waitEnd(ctx, o)
	if err != nil {
		return err
	}
	rec, retry, err := b.applyObject(ctx, all[0])
	if err != nil {
		return err
	}
	if retry == nil || retry.obstacle != o {
		b.keep(rec, retry)
		return b.applyAll(ctx, all[1:])
	}
	all[0] = retry
	for _, at := range all {
		if at.record.Waits = string(o); !time.Now().Before(end) {
			b.giveUp(at)
			continue
		}
		b.keep(at.record, at)
	}
	return nil
}

// giveUp ends the way of an object whose obstacle has not gone: what became of it at its
// last attempt holds, unless it is left for later.
func (b *batch) giveUp(at *attempt) {
	rec := at.record
	if b.defers && at.obstacle.isWebhook() {
		rec.Deferred = true
		b.keep(rec, nil)
		return
	}
	rec.Waits = ""
	if n := len(rec.Reasons); n > 0 {
		rec.Reasons[n-1].Message += fmt.Sprintf("; this restore has waited for %s", b.obstacles.patience(at.obstacle))
	}
	b.keep(rec, nil)
}

// applyDeferred tries the objects of a task again that it has left, now that what serves the webhooks that
// kept them out may have come with the levels after it. Their time begins anew.
func (a *applier) applyDeferred(ctx context.Context, in contract.ApplyTaskInput, all []plan.Range, cur *applyCursor) error {
	a.obstacles.behindServices = true
	for ; cur.Batch < len(all); cur.Batch++ {
		records, err := a.run.BatchRecords(ctx, in, cur.Batch)
		if err != nil {
			return err
		}
		deferred := deferredKeys(records)
		if isWaiting(records) {
			if records, err = a.applyWaiting(ctx, all[cur.Batch], records); err != nil {
				return fmt.Errorf("apply what was deferred of level %d task %d: %w", in.Level, in.Task, err)
			}
			for i := range records {
				records[i].Deferred = deferred[records[i].Origin()]
			}
			if err := a.run.PutRecords(ctx, in, cur.Batch, records); err != nil {
				return err
			}
		}
		records = slices.DeleteFunc(records, func(r restore.Record) bool { return !r.Deferred })
		restore.Tally(&cur.Result, records)
		if err := a.recorder.Mark(applyCursor{Batch: cur.Batch + 1, Result: cur.Result}, cur.Result.Counts.Total(), 0); err != nil {
			return err
		}
	}
	return nil
}

func deferredKeys(records []restore.Record) map[archive.Key]bool {
	keys := map[archive.Key]bool{}
	for _, rec := range records {
		if rec.Deferred {
			keys[rec.Origin()] = true
		}
	}
	return keys
}
