package export

import (
	"context"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
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

// Shard lists the objects of one shard into staged chunks. It resumes at the
// watermark of its last heartbeat; a chunk that was staged after it is overwritten.
func Shard(ctx context.Context, service *backup.Service, recorder *heartbeat.Recorder, in contract.ExportShardInput) (contract.ShardResult, error) {
	run, err := service.Open(ctx, in.Ref)
	if err != nil {
		return contract.ShardResult{}, err
	}
	var cur exportCursor
	if _, err := recorder.Resume(&cur); err != nil {
		return contract.ShardResult{}, err
	}
	snapshots, err := run.ClaimSnapshots(ctx)
	if err != nil {
		return contract.ShardResult{}, err
	}
	suspects := map[string]int{}
	for try := 0; ; try++ {
		e := newExport(ctx, service, run, recorder, in.Shard, cur)
		e.suspects, e.snapshots = suspects, snapshots
		err := e.exportLists(ctx, listCallsOf(run.Plan.Shards[in.Shard]))
		if err == nil {
			return e.Result, nil
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

// listCall is one list call sequence.
type listCall struct {
	list      plan.List
	namespace string
	selector  int
	first     bool            // of its list: the ordered objects come before it
	skip      map[string]bool // "namespace/name" that other units hold
}

// listCallsOf flattens a shard; its order is the order in the archive.
func listCallsOf(s plan.Shard) []listCall {
	var out []listCall
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
				out = append(out, listCall{l, ns, i, n+i == 0, skip})
			}
		}
	}
	return out
}

// shardExport is one attempt at a shard.
type shardExport struct {
	*backup.ShardWriter
	service *backup.Service
	cur     exportCursor

	marked   exportCursor   // the watermark
	suspects map[string]int // how often lists failed although the API server is well

	snapshots map[string]string // VolumeSnapshots, by "namespace/claim"
}

func newExport(ctx context.Context, service *backup.Service, run *backup.Run, recorder *heartbeat.Recorder, shard int, cur exportCursor) *shardExport {
	w := backup.NewShardWriter(ctx, run, recorder, shard)
	w.Chunk, w.Result = cur.Chunk, cur.Result
	w.Result.Shard = shard
	return &shardExport{ShardWriter: w, service: service, cur: cur, marked: cur, suspects: map[string]int{}}
}

// currentCursor is where the export is, with all that is staged.
func (e *shardExport) currentCursor() exportCursor {
	return exportCursor{Unit: e.cur.Unit, Continue: e.cur.Continue, Chunk: e.Chunk, Result: e.Result}
}

func (e *shardExport) exportLists(ctx context.Context, us []listCall) error {
	for e.cur.Unit < len(us) {
		if err := e.exportList(ctx, us[e.cur.Unit]); err != nil {
			return err
		}
		e.cur.Unit++
		e.cur.Continue = ""
		if err := e.moveWatermark(); err != nil {
			return err
		}
	}
	return e.Close(ctx)
}

// exportList streams one list into the writer.
func (e *shardExport) exportList(ctx context.Context, u listCall) error {
	r, ok := e.Run.Plan.FindResource(u.list.Type.GroupResource)
	if !ok {
		return fmt.Errorf("plan lists %s, which it does not describe", u.list.Type.GroupResource)
	}
	req := kube.ListAllRequest{
		ListRequest: kube.ListRequest{Resource: r, Namespace: u.namespace, LabelSelector: u.list.Selectors[u.selector], Continue: e.cur.Continue},
		AfterPage:   e.afterPage,
	}
	if err := e.addOrdered(ctx, r, u); err != nil {
		return err
	}
	res, err := e.service.Kube.ListAll(ctx, req, func(it kube.Item) error {
		if u.skip[resource.ObjectName(it.Namespace, it.Name)] || !e.isWanted(u, it) {
			return nil
		}
		return e.addObject(r, it)
	})
	if res.Inconsistent && err == nil {
		e.Notes.AddReason(report.New(report.ListInconsistent, fmt.Sprintf(
			"%s: the list outlived the API server's history and was finished in a newer state; a second look found %d more objects",
			r.GroupResource(), res.Recovered)))
	}
	return e.listFailed(ctx, r, u, err)
}

// isWanted applies what a list call cannot: Velero's exclusions (docs/VELERO.md 4.4).
func (e *shardExport) isWanted(u listCall, it kube.Item) bool {
	if it.Deleting || it.Labels[filter.ExcludeLabel] == "true" {
		return false
	}
	f := e.Run.Plan.Filter
	if u.list.Type.GroupResource == "namespaces" {
		return f.KeepNamespace(it.Name, it.Labels)
	}
	if u.list.Type.Namespaced && u.namespace == "" && !f.IncludeNamespace(it.Namespace) {
		return false
	}
	return len(u.list.Selectors) == 1 || u.first || f.FirstMatch(u.selector, it.Labels)
}

// addOrdered adds the objects of spec.orderedResources that this list holds, first and
// in the given order.
func (e *shardExport) addOrdered(ctx context.Context, r kube.Resource, u listCall) error {
	if !u.first || e.cur.Continue != "" {
		return nil // staged before the watermark
	}
	for _, name := range u.list.Ordered {
		ns, n := resource.SplitName(name)
		got, err := fetchObject(ctx, e.service, r, ns, n)
		switch {
		case err != nil:
			return err
		case got.refusal != nil:
			e.Notes.AddReason(got.refusalReason(ns, n))
		case !got.found:
			e.Notes.AddReason(report.New(report.OrderedMissing, "named in spec.orderedResources, not in the cluster").At(r.GroupResource(), ns, n))
		case e.isWanted(u, got.item) && e.Run.Plan.Filter.MatchLabels(got.item.Labels):
			if err := e.addObject(r, got.item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *shardExport) afterPage(page kube.Page) error {
	e.cur.Continue = page.Continue
	if page.Continue == "" {
		return nil // the unit's end is marked by run
	}
	return e.moveWatermark()
}

// moveWatermark closes a chunk that is large enough, or one of which a part is staged
// already, and moves the watermark behind it.
func (e *shardExport) moveWatermark() error {
	if e.Writer.Pending() < flushAt && e.Chunk == e.marked.Chunk {
		return nil
	}
	if err := e.Writer.Flush(); err != nil {
		return err
	}
	e.marked = e.currentCursor()
	return e.Recorder.Mark(e.marked, e.Result.Objects, e.Result.Bytes)
}
