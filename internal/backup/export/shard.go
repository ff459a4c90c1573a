package export

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

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

// exportCursor is the watermark of a shard: everything before it is staged. A worker that does
// not know the attempts of the result must not go on from it, so the fields have other names
// than they had then: it finds none and begins anew, as this one does from an old cursor.
type exportCursor struct {
	Unit     int                  `json:"listCall"`        // index into listCallsOf
	Continue string               `json:"token,omitempty"` // continue token within that list call
	Chunk    int                  `json:"nextChunk"`       // number of the next chunk
	Result   contract.ShardResult `json:"staged"`
}

// Shard lists the objects of one shard into staged chunks. It resumes at the
// watermark of its last heartbeat; a chunk that was staged after it is not read.
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
	if first.revision, err = run.ChooseRevision(ctx, service.Kube); err != nil {
		return contract.ShardResult{}, err
	}
	return first.exportShard(ctx)
}

// exportShard exports the shard from its cursor on. A list that failed and may not fail again
// is taken up at the watermark. A list whose rest the API server no longer has begins anew
// with the whole shard.
func (e *shardExport) exportShard(ctx context.Context) (contract.ShardResult, error) {
	shard := e.Result.Shard
	calls := listCallsOf(e.Run.Plan.Shards[shard])
	for restarts := 0; ; {
		err := e.exportLists(ctx, calls)
		switch {
		case err == nil:
			return e.Result, nil
		case errors.Is(err, errTransient):
			e = e.restartAt(ctx, e.watermark)
		case errors.Is(err, kube.ErrShortList): // listFailed bounds how often
			e = e.restartAt(ctx, exportCursor{})
		case errors.Is(err, kube.ErrExpired) && restarts < maxRestarts:
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

// key identifies the call among those of its shard.
func (u listCall) key() string {
	return fmt.Sprint(u.list.Type.GroupResource, " ", u.namespace, " ", u.selector)
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

	watermark  exportCursor             // everything before it is staged, and the heartbeat has it
	failures   map[string]int           // how often each list failed although the API server is well
	givenUp    map[string]report.Reason // lists that are not in the backup, by their keys
	failedTime map[string]time.Duration // what failed lists took, by type
	snapshots  map[string]string        // VolumeSnapshots of the backup, by "namespace/claim"

	revision string          // the state that is exported; "" is the newest of each list
	reached  map[string]bool // types whose cache in the API server has reached it, as far as is known
	plain    map[string]bool // types that could not be listed at the revision
}

func newExport(ctx context.Context, service *backup.Service, run *backup.Run, recorder *heartbeat.Recorder, shard int, cur exportCursor) *shardExport {
	w := backup.NewShardWriter(ctx, run, recorder, shard)
	w.Chunk, w.Result = cur.Chunk, cur.Result
	w.Result.Shard = shard
	return &shardExport{
		ShardWriter: w, service: service, cur: cur, watermark: cur,
		failures: map[string]int{}, givenUp: map[string]report.Reason{}, failedTime: map[string]time.Duration{},
		plain: map[string]bool{}, reached: map[string]bool{},
	}
}

// restartAt makes a new export of the shard from a cursor on. It goes on counting failures
// and knows what was given up.
func (e *shardExport) restartAt(ctx context.Context, cur exportCursor) *shardExport {
	next := newExport(ctx, e.service, e.Run, e.Recorder, e.Result.Shard, cur)
	next.failures, next.givenUp, next.failedTime, next.snapshots = e.failures, e.givenUp, e.failedTime, e.snapshots
	next.revision, next.plain, next.reached = e.revision, e.plain, e.reached
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
	if err := e.addOrdered(ctx, r, u); err != nil {
		return err
	}
	for !e.passOver(r, u) {
		shown, err := e.tryList(ctx, r, u)
		if shown || !errors.Is(err, errTransient) {
			return err
		}
		// A list that showed no object is tried again by itself: the watermark may be far back.
	}
	return nil
}

// tryList streams one list into the writer. It reports whether an object was shown.
func (e *shardExport) tryList(ctx context.Context, r kube.Resource, u listCall) (shown bool, err error) {
	req := kube.ListAllRequest{
		ListRequest: kube.ListRequest{Resource: r, Namespace: u.namespace, LabelSelector: u.list.Selectors[u.selector], Continue: e.cur.Continue},
		AfterPage:   e.afterPage,
		TooLarge: func(ns, name string, err error) {
			if u.skip[resource.ObjectName(ns, name)] || r.Namespaced && !e.Run.Plan.Filter.IncludeNamespace(ns) {
				return
			}
			e.Notes.AddReason(report.New(report.ObjectInvalid, err.Error()).At(r.GroupResource(), ns, name))
		},
	}
	if revision := e.revisionOf(r); revision != "" {
		e.reachRevision(ctx, r, u)
		req.ResourceVersion, req.ResourceVersionMatch = revision, kube.Exact
	}
	began := time.Now()
	res, err := e.service.Kube.ListAll(ctx, req, func(it kube.Item) error {
		shown = true
		if u.skip[resource.ObjectName(it.Namespace, it.Name)] || !e.isWanted(u, it) {
			return nil
		}
		return e.addObject(r, it)
	})
	if res.Inconsistent && err == nil {
		e.Notes.AddReason(report.New(report.ListInconsistent, fmt.Sprintf(
			"%s: the list outlived the API server's history and was finished in a newer state; a second look found %d more objects",
			r.GroupResource(), res.Recovered)))
		e.Notes.Plain = append(e.Notes.Plain, r.GroupResource())
	}
	if req.ResourceVersion != "" && !shown && req.Continue == "" && kube.IsNotAtRevision(err) {
		e.listPlainly(r, err)
		return false, fmt.Errorf("%w: %w", errTransient, err)
	}
	if kube.IsUnavailable(err) && !apierrors.IsTooManyRequests(err) {
		e.failedTime[r.GroupResource()] += time.Since(began)
	}
	return shown, e.listFailed(ctx, r, u, err)
}

// manyObjects is from how many on a list is worth a request before it.
const manyObjects = 1000

// reachRevision has the API server's cache of a type reach the revision, so that the list comes
// from it: from etcd it takes longer (BenchmarkRealLists). A count does so, and Prepare has
// counted; behind the snapshots of volumes the revision is a later one.
func (e *shardExport) reachRevision(ctx context.Context, r kube.Resource, u listCall) {
	if len(e.Run.Plan.Volumes.Units) == 0 || u.list.Count < manyObjects || e.cur.Continue != "" || e.reached[r.GroupResource()] {
		return
	}
	e.reached[r.GroupResource()] = true
	_, _ = e.service.Kube.RevisionOf(ctx, r) // what it fails for, the list fails for, and says so
}

// revisionOf is the revision that objects of a type are read at; "" is the newest.
func (e *shardExport) revisionOf(r kube.Resource) string {
	if e.plain[r.GroupResource()] || slices.Contains(e.Run.Plan.Plain, r.GroupResource()) {
		return ""
	}
	return e.revision
}

// listPlainly gives the revision up for a type, and says so.
func (e *shardExport) listPlainly(r kube.Resource, why error) {
	if gr := r.GroupResource(); !e.plain[gr] {
		e.plain[gr] = true
		e.Notes.Plain = append(e.Notes.Plain, gr)
		e.Notes.AddReason(report.New(report.ListInconsistent, fmt.Sprintf("listed in its newest state, not at revision %s of the other types: %v", e.revision, why)).At(gr, "", ""))
	}
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
		got, err := fetchObject(ctx, e.service, r, ns, n, e.revisionOf(r))
		if got.newer != nil {
			e.listPlainly(r, got.newer)
		}
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
