package activities

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// records reads back what tasks recorded, task by task.
func (s *session) records(ctx context.Context, each func(record) error) error {
	var keys []string
	err := s.st.List(ctx, s.stage.Key(repository.RecordsDir), func(i store.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list records: %w", err)
	}
	for _, key := range keys {
		var batch []record
		if err := repository.GetJSON(ctx, s.st, key, &batch); err != nil {
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

// RelinkOwners gives restored objects their owners back: by name, with the owner's
// new uid, where the owner is part of this restore. It may repeat: a link that is
// there is left alone.
func (r *Restore) RelinkOwners(ctx context.Context, p *heartbeat.Recorder, in contract.RelinkOwnersInput) (contract.ApplyResult, error) {
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
	return res, s.stage.Put(ctx, repository.RelinkRecordsFile, l.out)
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

// linkTries is how often an object is read and written at most: one that changes
// between the two is read again.
const linkTries = 5

// link links one object. Where the server refuses that, it is a reason of the object;
// the error is for a cluster or store that cannot be reached.
func (l *linker) link(ctx context.Context, rec record) error {
	res, ok := l.resource(rec.APIVersion, rec.Kind)
	if !ok {
		return nil
	}
	for try := 1; ; try++ {
		t := &linking{l: l, rec: rec}
		err := t.run(ctx, res)
		if failed := l.a.look.failed(); failed != nil {
			return failed
		}
		if down := l.a.r.outage(ctx, err); down != nil {
			return down
		}
		if try < linkTries && kube.IsConflict(err) || try == 1 && kube.IsUnavailable(err) {
			continue // changed in between, or an outage that has just ended
		}
		if err != nil {
			t.refused(err)
		}
		l.note(t.reasons)
		return nil
	}
}

func (l *linker) note(reasons []report.Reason) {
	l.a.names.mu.Lock()
	defer l.a.names.mu.Unlock()
	if len(reasons) > 0 {
		l.out = append(l.out, record{Reasons: reasons})
	}
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
