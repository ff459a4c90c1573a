package activities

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// AwaitCRDs waits until the definitions that the restore made or found are served.
func (r *Restore) AwaitCRDs(ctx context.Context, _ *Pulse, in contract.AwaitCRDsInput) (contract.Nothing, error) {
	s, err := r.planned(ctx, in.Ref)
	if err != nil {
		return contract.Nothing{}, err
	}
	var names []string
	err = s.records(ctx, func(rec record) error {
		if rec.Resource == "customresourcedefinitions.apiextensions.k8s.io" && rec.Action != string(report.Failed) {
			names = append(names, rec.Name)
		}
		return nil
	})
	if err != nil {
		return contract.Nothing{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, terminatingTimeout)
	defer cancel()
	return contract.Nothing{}, r.Kube.WaitEstablished(ctx, names)
}

// records reads back what tasks recorded, task by task.
func (s *session) records(ctx context.Context, each func(record) error) error {
	var keys []string
	err := s.st.List(ctx, s.stage.key(recordsDir), func(i store.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list records: %w", err)
	}
	for _, key := range keys {
		var batch []record
		if err := getJSON(ctx, s.st, key, &batch); err != nil {
			return err
		}
		for _, rec := range batch {
			if err := each(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// relinkRecords is the batch name of the reasons that RelinkOwners leaves.
const relinkRecords = recordsDir + "relink.json"

// RelinkOwners gives restored objects their owners back: by name, with the owner's
// new uid, where the owner is part of this restore. It may repeat: a link that is
// there is left alone.
func (r *Restore) RelinkOwners(ctx context.Context, p *Pulse, in contract.RelinkOwnersInput) (contract.ApplyResult, error) {
	s, err := r.planned(ctx, in.Ref)
	if err != nil {
		return contract.ApplyResult{}, err
	}
	a, err := r.newApplier(ctx, s, p, 0)
	if err != nil {
		return contract.ApplyResult{}, err
	}
	l := &linker{a: a, sources: reverse(s.Restore.Spec.NamespaceMapping)}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(r.Config.Limits.ApplyConcurrency)
	err = s.records(ctx, func(rec record) error {
		if len(rec.Owners) > 0 && rec.Action != string(report.Failed) && rec.Action != string(report.Skipped) {
			group.Go(func() error { return l.link(gctx, rec) })
		}
		return gctx.Err()
	})
	if werr := group.Wait(); werr != nil {
		err = werr
	}
	if err != nil {
		return contract.ApplyResult{}, fmt.Errorf("link owners: %w", err)
	}
	res := contract.ApplyResult{}
	tally(&res, l.out)
	return res, s.stage.put(ctx, relinkRecords, l.out)
}

// reverse maps targets back to sources. Where several sources share a target any of
// them serves: their owners live side by side there.
func reverse(mapping map[string]string) map[string]string {
	out := make(map[string]string, len(mapping))
	for from, to := range mapping {
		out[to] = from
	}
	return out
}

// linker links objects to their owners.
type linker struct {
	a       *applier
	sources map[string]string // target namespace → source

	out []record // reasons only; guarded by the applier's namespaces lock
}

func (l *linker) link(ctx context.Context, rec record) error {
	res, ok := l.resource(rec.APIVersion, rec.Kind)
	if !ok {
		return nil
	}
	live, err := l.get(ctx, res, rec.Namespace, rec.Name)
	if live == nil || err != nil {
		return err // gone again, or adopted and deleted: nothing to link
	}
	refs, err := l.references(ctx, rec, live)
	if len(refs) == 0 || err != nil {
		return err
	}
	return l.write(ctx, res, rec, live, refs)
}

// references are the links that the object lacks.
func (l *linker) references(ctx context.Context, rec record, live map[string]any) ([]any, error) {
	meta, _ := live["metadata"].(map[string]any)
	have, _ := meta["ownerReferences"].([]any)
	var add []any
	for _, o := range rec.Owners {
		if linked(have, o) {
			continue
		}
		ref, err := l.reference(ctx, rec, o)
		if err != nil {
			return nil, err
		}
		if ref != nil {
			add = append(add, ref)
		}
	}
	if len(add) == 0 {
		return nil, nil
	}
	return append(have, add...), nil
}

// linked says that the object has this owner, or that a controller adopted it, as
// the built-in ones do by selector.
func linked(have []any, o resource.OwnerRef) bool {
	for _, h := range have {
		ref, _ := h.(map[string]any)
		if o.Controller && ref["controller"] == true {
			return true
		}
		if ref["kind"] == o.Kind && ref["name"] == o.Name && ref["apiVersion"] == o.APIVersion {
			return true
		}
	}
	return false
}

// reference is the owner reference with the owner's new uid, or nil when the owner
// is not part of this restore.
func (l *linker) reference(ctx context.Context, rec record, o resource.OwnerRef) (map[string]any, error) {
	res, ok := l.resource(o.APIVersion, o.Kind)
	source := rec.Namespace
	if from, mapped := l.sources[source]; mapped {
		source = from
	}
	ns := rec.Namespace
	if ok && !res.Namespaced {
		ns, source = "", ""
	}
	if !ok || !l.a.look.has(res.GroupResource(), source, o.Name) {
		l.note(rec, o, "is not part of this restore; the reference was dropped")
		return nil, l.a.look.failed()
	}
	owner, err := l.get(ctx, res, ns, o.Name)
	if err != nil {
		return nil, err
	}
	if owner == nil {
		l.note(rec, o, "was not restored; the reference was dropped")
		return nil, nil
	}
	meta, _ := owner["metadata"].(map[string]any)
	ref := map[string]any{"apiVersion": o.APIVersion, "kind": o.Kind, "name": o.Name, "uid": meta["uid"]}
	if o.Controller {
		ref["controller"] = true
	}
	if o.BlockOwnerDeletion {
		ref["blockOwnerDeletion"] = true
	}
	return ref, nil
}

func (l *linker) note(rec record, o resource.OwnerRef, what string) {
	r := report.New(report.OwnerMissing, fmt.Sprintf("owner %s %s %s", o.Kind, o.Name, what)).
		At(rec.Resource, rec.Namespace, rec.Name).As(report.Warning)
	l.a.names.mu.Lock()
	defer l.a.names.mu.Unlock()
	l.out = append(l.out, record{Reasons: []report.Reason{r}})
}

// write sets the references on the object as it was read; one that changed since is
// read again by the activity's retry.
func (l *linker) write(ctx context.Context, res kube.Resource, rec record, live map[string]any, refs []any) error {
	meta, _ := live["metadata"].(map[string]any)
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": meta["uid"], "resourceVersion": meta["resourceVersion"], "ownerReferences": refs,
	}})
	if err != nil {
		return err
	}
	_, err = l.a.r.Kube.Patch(ctx, res, rec.Namespace, rec.Name, kube.PatchMerge, body, kube.PatchOptions{FieldManager: fieldManager})
	if kube.IsNotFound(err) {
		return nil
	}
	return err
}

// get reads an object; one that is not there is nil without an error.
func (l *linker) get(ctx context.Context, res kube.Resource, ns, name string) (map[string]any, error) {
	raw, err := l.a.r.Kube.Get(ctx, res, ns, name)
	if kube.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var obj map[string]any
	return obj, json.Unmarshal(raw, &obj)
}

// resource finds a type by what an owner reference says of it.
func (l *linker) resource(apiVersion, kind string) (kube.Resource, bool) {
	group, version := "", apiVersion
	if i := strings.IndexByte(apiVersion, '/'); i >= 0 {
		group, version = apiVersion[:i], apiVersion[i+1:]
	}
	for _, r := range l.a.cat.Resources {
		if r.Group == group && r.Kind == kind {
			return l.a.cat.InVersion(r.GroupResource(), version)
		}
	}
	return kube.Resource{}, false
}
