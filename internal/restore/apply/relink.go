package apply

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
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// RelinkOwners gives restored objects their owners back: by name, with the owner's
// new uid, where the owner is part of this restore. It may repeat: a link that is
// there is left alone.
func RelinkOwners(ctx context.Context, r *restore.Service, p *heartbeat.Recorder, in contract.RelinkOwnersInput) (contract.ApplyResult, error) {
	s, err := r.Planned(ctx, in.Ref)
	if err != nil {
		return contract.ApplyResult{}, err
	}
	a, err := newApplier(ctx, r, s, p, 0)
	if err != nil {
		return contract.ApplyResult{}, err
	}
	l := &linker{a: a, sources: reverse(s.Restore.Spec.NamespaceMapping)}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(r.Config.Limits.ApplyConcurrency)
	err = s.Records(ctx, func(rec restore.Record) error {
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
	restore.Tally(&res, l.out)
	return res, s.Stage.Put(ctx, repository.RelinkRecordsFile, l.out)
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

	out []restore.Record // reasons only; guarded by the applier's namespaces lock
}

// linkTries is how often an object is read and written at most: one that changes
// between the two is read again.
const linkTries = 5

// link links one object. Where the server refuses that, it is a reason of the object;
// the error is for a cluster or store that cannot be reached.
func (l *linker) link(ctx context.Context, rec restore.Record) error {
	res, ok := l.resource(rec.APIVersion, rec.Kind)
	if !ok {
		return nil
	}
	for try := 1; ; try++ {
		t := &linking{l: l, rec: rec}
		err := t.run(ctx, res)
		if failed := l.a.look.Failed(); failed != nil {
			return failed
		}
		if down := l.a.r.Outage(ctx, err); down != nil {
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
		l.out = append(l.out, restore.Record{Reasons: reasons})
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
