package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
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

// ExportShard lists the objects of one shard into staged chunks. It resumes at the
// watermark of its last heartbeat; a chunk that was staged after it is overwritten.
func (b *Backup) ExportShard(ctx context.Context, p *heartbeat.Recorder, in contract.ExportShardInput) (contract.ShardResult, error) {
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
		e := b.newExport(ctx, o, p, in.Shard, cur)
		e.suspects, e.snapshots = suspects, snapshots
		err := e.run(ctx, units(o.plan.Shards[in.Shard]))
		if err == nil {
			return e.cur.Result, nil
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
	b        *Backup
	o        *opened
	recorder *heartbeat.Recorder
	shard    int
	cur      exportCursor
	w        *archive.Writer
	note     *chunkNotes // what is to be remembered with the next chunk

	marked   exportCursor   // the watermark
	suspects map[string]int // how often lists failed although the API server is well

	snapshots map[string]string // VolumeSnapshots, by "namespace/claim"
}

func (b *Backup) newExport(ctx context.Context, o *opened, p *heartbeat.Recorder, shard int, cur exportCursor) *export {
	e := &export{b: b, o: o, recorder: p, shard: shard, cur: cur, note: newChunkNotes(), marked: cur, suspects: map[string]int{}}
	e.cur.Result.Shard = shard
	e.w = archive.NewWriter(archive.DefaultLimits(), o.plan.Started, func(c archive.Chunk) error {
		return e.stage(ctx, c)
	})
	return e
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
		got, err := e.b.one(ctx, r, ns, n)
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
	if e.w.Pending() < flushAt && e.cur.Chunk == e.marked.Chunk {
		return nil
	}
	if err := e.w.Flush(); err != nil {
		return err
	}
	e.marked = e.cur
	return e.recorder.Mark(e.cur, e.cur.Result.Objects, e.cur.Result.Bytes)
}

// close stages what is left. Reasons without an object still need a chunk to lie in.
func (e *export) close(ctx context.Context) error {
	if err := e.w.Flush(); err != nil {
		return err
	}
	if e.note.empty() {
		return nil
	}
	return e.stageNotes(ctx, archive.ChunkRef{})
}

// stage writes one chunk and its notes; the notes come second, so that a chunk
// with notes is whole.
func (e *export) stage(ctx context.Context, c archive.Chunk) error {
	key := e.o.stage.Key(repository.ChunkFile(e.shard, e.cur.Chunk))
	if err := e.o.st.Put(ctx, key, c.Staged, store.PutOptions{}); err != nil {
		return fmt.Errorf("stage chunk %d: %w", e.cur.Chunk, err)
	}
	e.cur.Result.Objects += int64(c.Objects())
	e.cur.Result.Bytes += int64(len(c.Data))
	e.recorder.Count(0, int64(len(c.Data)))
	return e.stageNotes(ctx, c.Ref(key))
}

func (e *export) stageNotes(ctx context.Context, ref archive.ChunkRef) error {
	e.note.Chunk, e.note.Staged = ref, time.Now().UTC()
	if err := e.o.stage.Put(ctx, repository.ChunkNotesFile(e.shard, e.cur.Chunk), e.note); err != nil {
		return err
	}
	n := report.Tally(e.note.Reasons)
	e.cur.Result.Warnings += n.Warnings
	e.cur.Result.Errors += n.Errors
	e.cur.Chunk++
	e.cur.Result.Chunks = e.cur.Chunk
	e.note = newChunkNotes()
	return nil
}
