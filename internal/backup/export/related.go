package export

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// Related fetches the objects that exported ones refer to and that no shard holds: the
// volumes of claims, the definitions of custom resources, the RBAC of service accounts, the
// Namespaces of selected objects. It writes them as the shard after the planned ones. When
// repeated it starts over, since its work is small.
func Related(ctx context.Context, service *backup.Service, recorder *heartbeat.Recorder, in contract.ExportRelatedInput) (contract.ShardResult, error) {
	run, err := service.Open(ctx, in.Ref)
	if err != nil {
		return contract.ShardResult{}, err
	}
	r := newRelatedExport(ctx, service, run, recorder, len(in.Shards))
	if r.snapshots, err = run.ClaimSnapshots(ctx); err != nil {
		return contract.ShardResult{}, err
	}
	if r.revision, err = run.ChooseRevision(ctx, service.Kube); err != nil {
		return contract.ShardResult{}, err
	}
	return r.exportRelated(ctx, in)
}

func newRelatedExport(ctx context.Context, service *backup.Service, run *backup.Run, recorder *heartbeat.Recorder, shard int) *relatedExport {
	return &relatedExport{
		shardExport: newExport(ctx, service, run, recorder, shard, exportCursor{}),
		held:        map[resource.Ref]bool{}, asked: map[resource.Ref]bool{}, looked: map[string]bool{},
	}
}

// exportRelated exports what the objects of the shards refer to.
func (r *relatedExport) exportRelated(ctx context.Context, in contract.ExportRelatedInput) (contract.ShardResult, error) {
	if err := r.collectNotes(ctx, in); err != nil {
		return contract.ShardResult{}, err
	}
	for len(r.wanted) > 0 {
		if err := r.fetchRound(ctx); err != nil {
			return contract.ShardResult{}, fmt.Errorf("export related objects: %w", err)
		}
	}
	err := r.Close(ctx)
	return r.Result, err
}

// relatedExport follows references to their end: each round fetches the objects that those
// of the round before refer to.
type relatedExport struct {
	*shardExport
	archive  *archive.Archive      // what the shards have staged
	looked   map[string]bool       // types whose objects in the archive are among held
	held     map[resource.Ref]bool // objects in the archive, or known not to exist
	asked    map[resource.Ref]bool
	wanted   []resource.Ref
	bindings []map[string]any // all cluster role bindings; nil before they are needed
}

// collectNotes reads the references that all shards remember, and opens the archive that
// they have staged.
func (r *relatedExport) collectNotes(ctx context.Context, in contract.ExportRelatedInput) error {
	notes, err := backup.ReadNotes(ctx, r.Run, in.Shards, in.Attempts)
	if err != nil {
		return err
	}
	for _, n := range notes {
		r.addWanted(n.Related)
	}
	r.archive, err = archive.OpenStaged(repository.NewSource(r.Run.Store), backup.ChunksOf(notes))
	return err
}

// prepareType looks, once a type, which of its objects the archive holds, and whether it can
// be read at the revision. Types that shards list were asked when the backup was planned.
func (r *relatedExport) prepareType(ctx context.Context, groupResource string) error {
	if r.looked[groupResource] {
		return nil
	}
	r.looked[groupResource] = true
	res, ok := r.Run.Plan.FindResource(groupResource)
	if ok && r.revisionOf(res) != "" && len(r.archive.With(groupResource)) == 0 {
		at, err := r.service.Kube.RevisionOf(ctx, res)
		now, errNow := r.service.Kube.Revision(ctx)
		if err != nil || errNow != nil || !backup.IsBetween(r.revision, at, now) {
			r.plain[groupResource] = true // a refusal is told where an object is read
			r.Notes.Plain = append(r.Notes.Plain, groupResource)
		}
	}
	return r.addHeld(ctx, groupResource)
}

// addHeld reads from the index which objects of a type the archive holds.
func (r *relatedExport) addHeld(ctx context.Context, groupResource string) error {
	for _, m := range r.archive.With(groupResource) {
		entries, err := r.archive.Entries(ctx, m)
		if err != nil {
			return err
		}
		for _, e := range entries {
			r.held[resource.Ref{Resource: e.Resource, Namespace: e.Namespace, Name: e.Name}] = true
		}
	}
	return nil
}

func (r *relatedExport) addWanted(refs []resource.Ref) {
	for _, ref := range refs {
		if !r.asked[ref] {
			r.asked[ref] = true
			r.wanted = append(r.wanted, ref)
		}
	}
}

// fetchRound fetches the wanted objects. What they refer to is wanted in the next round.
func (r *relatedExport) fetchRound(ctx context.Context) error {
	todo := r.wanted
	r.wanted = nil
	var names []resource.Ref
	for _, ref := range todo {
		if !ref.Subject {
			if err := r.prepareType(ctx, ref.Resource); err != nil {
				return err
			}
			names = append(names, ref)
			continue
		}
		if err := r.addSubject(ctx, ref); err != nil {
			return err
		}
	}
	if err := r.fetchAll(ctx, names); err != nil {
		return err
	}
	r.addWanted(r.Notes.TakeRelated())
	return nil
}

// heldObjects is how many related objects are in memory at most: definitions of custom resources
// are large, and a cluster may have thousands.
const heldObjects = 4 * backup.FetchWindow

// fetchAll fetches objects and adds them to the archive, some at a time.
func (r *relatedExport) fetchAll(ctx context.Context, refs []resource.Ref) error {
	for some := range slices.Chunk(refs, heldObjects) {
		if err := r.fetchObjects(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// fetchObjects reads objects in parallel and adds them to the archive in their order, so that
// the same cluster gives the same bytes.
func (r *relatedExport) fetchObjects(ctx context.Context, refs []resource.Ref) error {
	all := make([]fetched, len(refs))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(backup.FetchWindow)
	for i, ref := range refs {
		res, ok := r.Run.Plan.FindResource(ref.Resource)
		if r.held[ref] || !ok || !r.Run.Plan.Filter.IncludeRelated(kube.FilterType(res), ref.Namespace) {
			continue
		}
		r.held[ref] = true
		revision := r.revisionOf(res)
		group.Go(func() (err error) {
			all[i], err = fetchObject(gctx, r.service, res, ref.Namespace, ref.Name, revision)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, ref := range refs {
		if err := r.addFetched(ref, all[i]); err != nil {
			return fmt.Errorf("%s: %w", ref.Name, err)
		}
	}
	return nil
}

// addFetched adds a fetched object to the archive, or the reason why it was refused.
func (r *relatedExport) addFetched(ref resource.Ref, got fetched) error {
	if got.newer != nil {
		r.listPlainly(got.res, got.newer)
	}
	switch {
	case got.refusal != nil:
		r.Notes.AddReason(got.refusalReason(ref.Namespace, ref.Name))
	case got.found && !got.item.Deleting && got.item.Labels[filter.ExcludeLabel] != "true":
		return r.addObject(got.res, got.item)
	}
	return nil
}

// addSubject adds the cluster role bindings of a service account, and their roles, to the
// wanted objects.
func (r *relatedExport) addSubject(ctx context.Context, ref resource.Ref) error {
	if err := r.loadBindings(ctx, ref.Resource); err != nil {
		return err
	}
	for _, b := range r.bindings {
		if !bindsServiceAccount(b, ref.Namespace, ref.Name) {
			continue
		}
		meta, _ := b["metadata"].(map[string]any)
		role, _ := b["roleRef"].(map[string]any)
		r.addWanted([]resource.Ref{
			{Resource: ref.Resource, Name: resource.StringOf(meta["name"])},
			{Resource: strings.Replace(ref.Resource, "clusterrolebindings", "clusterroles", 1), Name: resource.StringOf(role["name"])},
		})
	}
	return nil
}

// loadBindings lists the cluster role bindings, once.
func (r *relatedExport) loadBindings(ctx context.Context, gr string) error {
	res, ok := r.Run.Plan.FindResource(gr)
	if r.bindings != nil || !ok {
		return nil
	}
	refusal, err := readAgain(ctx, r.service, func() error {
		req := kube.ListRequest{Resource: res}
		if revision := r.revisionOf(res); revision != "" {
			req.ResourceVersion, req.ResourceVersionMatch = revision, kube.Exact
		}
		err := r.listBindings(ctx, req)
		if req.ResourceVersion != "" && kube.IsNotAtRevision(err) {
			r.listPlainly(res, err)
			err = r.listBindings(ctx, kube.ListRequest{Resource: res})
		}
		return err
	})
	if refusal != nil {
		r.Notes.AddReason(report.New(report.ListFailed, refusal.Error()).At(gr, "", ""))
	}
	return err
}

func (r *relatedExport) listBindings(ctx context.Context, req kube.ListRequest) error {
	r.bindings = []map[string]any{}
	_, err := r.service.Kube.ListAll(ctx, kube.ListAllRequest{ListRequest: req}, func(it kube.Item) error {
		var obj map[string]any
		err := json.Unmarshal(it.Raw, &obj)
		r.bindings = append(r.bindings, obj)
		return err
	})
	return err
}

// bindsServiceAccount reports whether a binding names the service account among its subjects.
// The groups that service accounts are in do not count.
func bindsServiceAccount(binding map[string]any, namespace, name string) bool {
	subjects, _ := binding["subjects"].([]any)
	for _, s := range subjects {
		m, _ := s.(map[string]any)
		if m["kind"] == "ServiceAccount" && m["namespace"] == namespace && m["name"] == name {
			return true
		}
	}
	return false
}
