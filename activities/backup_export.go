package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// flushAt is the size from which a chunk is closed at the next page boundary: what
// S3 needs to copy it on the server's side.
const flushAt = 5 << 20

// restarts bounds how often a shard whose continue token expired is listed anew
// within one attempt.
const restarts = 3

// exportCursor is the watermark of a shard: all before it is staged.
type exportCursor struct {
	Unit     int    `json:"unit"`               // index into units()
	Continue string `json:"continue,omitempty"` // token within the unit
	Chunk    int    `json:"chunk"`              // number of the next chunk
	Result   contract.ShardResult
}

// exportShard lists the objects of one shard into staged chunks. It resumes at the
// watermark of its last heartbeat; a chunk that was staged after it is overwritten.
func exportShard(ctx context.Context, b *Backup, p *heartbeat.Recorder, in contract.ExportShardInput) (contract.ShardResult, error) {
	o, err := b.open(ctx, in.Ref)
	if err != nil {
		return contract.ShardResult{}, err
	}
	var cur exportCursor
	if _, err := p.Resume(&cur); err != nil {
		return contract.ShardResult{}, err
	}
	snapshots, err := o.claimSnapshots(ctx)
	if err != nil {
		return contract.ShardResult{}, err
	}
	suspects := map[string]int{}
	for try := 0; ; try++ {
		e := newExport(ctx, b, o, p, in.Shard, cur)
		e.suspects, e.snapshots = suspects, snapshots
		err := e.run(ctx, units(o.plan.Shards[in.Shard]))
		if err == nil {
			return e.result, nil
		}
		if errors.Is(err, errSuspect) {
			cur, try = e.marked, try-1
			continue
		}
		stale := errors.Is(err, kube.ErrExpired) || errors.Is(err, kube.ErrShortList)
		if !stale || try == restarts {
			return contract.ShardResult{}, fmt.Errorf("export shard %d: %w", in.Shard, err)
		}
		cur = exportCursor{} // the rest of the list is gone: begin again, over the same chunks
	}
}

// unit is one list call sequence.
type unit struct {
	list      plan.List
	namespace string
	selector  int
	first     bool            // of its list: the ordered objects come before it
	skip      map[string]bool // "namespace/name" that other units hold
}

// units flattens a shard; its order is the order in the archive.
func units(s plan.Shard) []unit {
	var out []unit
	for _, l := range s.Lists {
		namespaces := l.Namespaces
		if len(namespaces) == 0 {
			namespaces = []string{""}
		}
		skip := make(map[string]bool, len(l.Skip))
		for _, name := range l.Skip {
			skip[name] = true
		}
		for n, ns := range namespaces {
			for i := range l.Selectors {
				out = append(out, unit{l, ns, i, n+i == 0, skip})
			}
		}
	}
	return out
}

// export is one attempt at a shard.
type export struct {
	*shardWriter
	b   *Backup
	cur exportCursor

	marked   exportCursor   // the watermark
	suspects map[string]int // how often lists failed although the API server is well

	snapshots map[string]string // VolumeSnapshots, by "namespace/claim"
}

func newExport(ctx context.Context, b *Backup, o *opened, recorder *heartbeat.Recorder, shard int, cur exportCursor) *export {
	w := newShardWriter(ctx, o, recorder, shard)
	w.chunk, w.result = cur.Chunk, cur.Result
	w.result.Shard = shard
	return &export{shardWriter: w, b: b, cur: cur, marked: cur, suspects: map[string]int{}}
}

// cursor is where the export is, with all that is staged.
func (e *export) cursor() exportCursor {
	return exportCursor{Unit: e.cur.Unit, Continue: e.cur.Continue, Chunk: e.chunk, Result: e.result}
}

func (e *export) run(ctx context.Context, us []unit) error {
	for e.cur.Unit < len(us) {
		if err := e.unit(ctx, us[e.cur.Unit]); err != nil {
			return err
		}
		e.cur.Unit++
		e.cur.Continue = ""
		if err := e.mark(); err != nil {
			return err
		}
	}
	return e.close(ctx)
}

// unit streams one list into the writer.
func (e *export) unit(ctx context.Context, u unit) error {
	r, ok := e.o.plan.resource(u.list.Type.GroupResource)
	if !ok {
		return fmt.Errorf("plan lists %s, which it does not describe", u.list.Type.GroupResource)
	}
	req := kube.ListAllRequest{
		ListRequest: kube.ListRequest{Resource: r, Namespace: u.namespace, LabelSelector: u.list.Selectors[u.selector], Continue: e.cur.Continue},
		AfterPage:   e.afterPage,
	}
	if err := e.ordered(ctx, r, u); err != nil {
		return err
	}
	res, err := e.b.Kube.ListAll(ctx, req, func(it kube.Item) error {
		if u.skip[kube.ObjectName(it.Namespace, it.Name)] || !e.wanted(u, it) {
			return nil
		}
		return e.add(r, it)
	})
	if res.Inconsistent && err == nil {
		e.note.reason(report.New(report.ListInconsistent, fmt.Sprintf(
			"%s: the list outlived the API server's history and was finished in a newer state; a second look found %d more objects",
			r.GroupResource(), res.Recovered)))
	}
	return e.listFailed(ctx, r, u, err)
}

// wanted applies what a list call cannot: Velero's exclusions (velero.md C4).
func (e *export) wanted(u unit, it kube.Item) bool {
	if it.Deleting || it.Labels[filter.ExcludeLabel] == "true" {
		return false
	}
	f := e.o.plan.Filter
	if u.list.Type.GroupResource == "namespaces" {
		return f.KeepNamespace(it.Name, it.Labels)
	}
	if u.list.Type.Namespaced && u.namespace == "" && !f.IncludeNamespace(it.Namespace) {
		return false
	}
	return len(u.list.Selectors) == 1 || u.first || f.FirstMatch(u.selector, it.Labels)
}

// ordered adds the objects of spec.orderedResources that this list holds, first and
// in the given order.
func (e *export) ordered(ctx context.Context, r kube.Resource, u unit) error {
	if !u.first || e.cur.Continue != "" {
		return nil // staged before the watermark
	}
	for _, name := range u.list.Ordered {
		ns, n := kube.SplitName(name)
		got, err := fetchObject(ctx, e.b, r, ns, n)
		switch {
		case err != nil:
			return err
		case got.refusal != nil:
			e.note.reason(got.reason(ns, n))
		case !got.found:
			e.note.reason(report.New(report.OrderedMissing, "named in spec.orderedResources, not in the cluster").At(r.GroupResource(), ns, n))
		case e.wanted(u, got.item) && e.o.plan.Filter.MatchLabels(got.item.Labels):
			if err := e.add(r, got.item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *export) afterPage(page kube.Page) error {
	e.cur.Continue = page.Continue
	if page.Continue == "" {
		return nil // the unit's end is marked by run
	}
	return e.mark()
}

// mark closes a chunk that is large enough, or one of which a part is staged
// already, and moves the watermark behind it.
func (e *export) mark() error {
	if e.w.Pending() < flushAt && e.chunk == e.marked.Chunk {
		return nil
	}
	if err := e.w.Flush(); err != nil {
		return err
	}
	e.marked = e.cursor()
	return e.recorder.Mark(e.marked, e.result.Objects, e.result.Bytes)
}
