package export

import (
	"context"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// flushAt is the size, in bytes, from which a chunk is closed at the next page boundary. It is
// the least that S3 copies on the server's side as a part of a larger object.
const flushAt = 5 << 20

// maxRestarts bounds how often a shard whose continue token expired is listed anew
// within one attempt.
const maxRestarts = 3

// exportCursor is the watermark of a shard: everything before it is staged.
type exportCursor struct {
	Unit     int    `json:"unit"`               // index into listCallsOf
	Continue string `json:"continue,omitempty"` // continue token within that list call
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
	first := newExport(ctx, service, run, recorder, in.Shard, cur)
	first.snapshots = snapshots
	return first.exportShard(ctx)
}

// exportShard exports the shard from its cursor on. A list that failed and may not fail again
// is taken up at the watermark. A list whose rest the API server no longer has begins anew
// with the whole shard, over the same chunks.
func (e *shardExport) exportShard(ctx context.Context) (contract.ShardResult, error) {
	shard := e.Result.Shard
	calls := listCallsOf(e.Run.Plan.Shards[shard])
	for restarts := 0; ; {
		err := e.exportLists(ctx, calls)
		switch stale := errors.Is(err, kube.ErrExpired) || errors.Is(err, kube.ErrShortList); {
		case err == nil:
			return e.Result, nil
		case errors.Is(err, errTransient):
			e = e.restartAt(ctx, e.watermark)
		case stale && restarts < maxRestarts:
			restarts++
			e = e.restartAt(ctx, exportCursor{})
		default:
			return contract.ShardResult{}, fmt.Errorf("export shard %d: %w", shard, err)
		}
	}
}

// listCall is one list of a shard, in one namespace or all, by one selector. It is read page
// by page.
type listCall struct {
	list      plan.List
	namespace string // "" for all
	selector  int
	first     bool            // the first call of its list, before which ordered objects come
	skip      map[string]bool // "namespace/name" of objects that other shards hold
}

// listCallsOf returns the list calls of a shard in the order of the archive.
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

	watermark exportCursor      // everything before it is staged, and the heartbeat has it
	failures  map[string]int    // how often each list failed although the API server is well
	snapshots map[string]string // VolumeSnapshots of the backup, by "namespace/claim"
}

func newExport(ctx context.Context, service *backup.Service, run *backup.Run, recorder *heartbeat.Recorder, shard int, cur exportCursor) *shardExport {
	w := backup.NewShardWriter(ctx, run, recorder, shard)
	w.Chunk, w.Result = cur.Chunk, cur.Result
	w.Result.Shard = shard
	return &shardExport{ShardWriter: w, service: service, cur: cur, watermark: cur, failures: map[string]int{}}
}

// restartAt makes a new export of the shard from a cursor on. It goes on counting failures.
func (e *shardExport) restartAt(ctx context.Context, cur exportCursor) *shardExport {
	next := newExport(ctx, e.service, e.Run, e.Recorder, e.Result.Shard, cur)
	next.failures, next.snapshots = e.failures, e.snapshots
	return next
}

// currentCursor says how far the export is. It is a watermark once all before it is staged.
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

// isWanted applies the exclusions that a list call cannot express (docs/VELERO.md 4.4).
func (e *shardExport) isWanted(u listCall, it kube.Item) bool {
	if it.Deleting || it.Labels[filter.ExcludeLabel] == "true" {
		return false
	}
	f := e.Run.Plan.Filter
	if u.list.Type.GroupResource == "namespaces" {
		return f.KeepNamespace(it.Name, it.Labels)
	}
	if u.list.Type.Namespaced && !f.IncludeNamespace(it.Namespace) {
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
		if ns != "" && !e.Run.Plan.Filter.IncludeNamespace(ns) {
			continue // the order of objects selects none
		}
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

// afterPage moves the watermark behind a page.
func (e *shardExport) afterPage(page kube.Page) error {
	e.cur.Continue = page.Continue
	if page.Continue == "" {
		return nil // exportLists moves the watermark behind the list
	}
	return e.moveWatermark()
}

// moveWatermark moves the watermark to where the export is, once the chunk is large enough to
// be closed, or another chunk was staged since the last watermark, which a repeated attempt
// would have to export again.
func (e *shardExport) moveWatermark() error {
	if e.Writer.Pending() < flushAt && e.Chunk == e.watermark.Chunk {
		return nil
	}
	if err := e.Writer.Flush(); err != nil {
		return err
	}
	e.watermark = e.currentCursor()
	return e.Recorder.Mark(e.watermark, e.Result.Objects, e.Result.Bytes)
}
