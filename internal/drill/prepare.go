package drill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition/validation"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/glob"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/packed"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Prepare checks a drill, chooses its backup and names the namespaces of the copy. It changes
// nothing. It may repeat: the same run chooses the same backup, as long as there are no others.
func (s *Service) Prepare(ctx context.Context, in contract.PrepareDrillInput) (contract.DrillPlan, error) {
	if err := s.check(ctx, in); err != nil {
		return contract.DrillPlan{}, err
	}
	spec := in.Drill.Spec
	picked, err := s.pick(ctx, spec, in.Run.RunID)
	if err != nil {
		return contract.DrillPlan{}, err
	}
	plan := planOf(in, picked)
	mapping, err := namespacesOf(ctx, &spec, picked, in.Now)
	if kind := failure.TypeOf(err); kind != "" {
		plan.Refused = &contract.DrillRefusal{Type: kind, Message: err.Error()}
		return plan, nil
	}
	if err != nil {
		return contract.DrillPlan{}, err
	}
	// Only namespaces that have another name in the copy are restored.
	plan.Restore.Spec.IncludedNamespaces, plan.Restore.Spec.ExcludedNamespaces = slices.Sorted(maps.Keys(mapping)), nil
	plan.Restore.Spec.NamespaceMapping = mapping
	return plan, nil
}

// planOf is what a drill of a backup is going to do, but for the namespaces of the copy.
func planOf(in contract.PrepareDrillInput, of picked) contract.DrillPlan {
	spec := &in.Drill.Spec
	plan := contract.DrillPlan{
		ID: in.Run.RunID, Backup: of.name, Location: of.location, Ready: spec.ReadyWithin(), Most: spec.MostTime(), Read: spec.ReadWithin(), Assertions: len(spec.Assertions),
		Restore: contract.RestoreInput{
			Name: "drill-" + in.Run.RunID, Location: of.location, Spec: spec.RestoreSpec(of.name),
			Isolation: &contract.Isolation{Drill: in.Run.RunID, Cluster: in.Run.Cluster, AllowedKinds: spec.AllowedKinds, InitializationRate: spec.VolumeInitializationRate},
		},
	}
	if spec.Keep != nil {
		plan.Keep = spec.Keep.For.Duration
	}
	return plan
}

// namespacesOf names the namespaces of the copy, by those of the backup.
func namespacesOf(ctx context.Context, spec *definition.Spec, of picked, now time.Time) (map[string]string, error) {
	all, err := readNamespaces(ctx, of.store, of.name)
	if err != nil {
		return nil, err
	}
	return mapNamespaces(spec, all, now)
}

// check refuses a drill that cannot end well. Evidence is what a drill is for: without a key
// none is begun.
func (s *Service) check(ctx context.Context, in contract.PrepareDrillInput) error {
	if want := contract.DrillID(s.Config.Cluster); in.Run.WorkflowID != want {
		return failure.Invalid("workflow id: is %q; drills of a cluster never overlap, so start this one as %q", in.Run.WorkflowID, want)
	}
	err := validation.Drill(&definition.Drill{
		APIVersion: definition.APIVersion, Kind: definition.Kind, Metadata: definition.Metadata{Name: in.Drill.Name}, Spec: in.Drill.Spec,
	})
	if err != nil {
		return err
	}
	if in.Drill.Spec.Schedule != nil {
		return failure.Invalid("spec.schedule: a drill that is started runs at once: remove it, or give the document to 'lifeboat drill schedule apply'")
	}
	if s.Key == nil {
		return failure.Unusable("drill: the worker's configuration names no key to sign evidence with; make one with 'lifeboat drill keygen' and name it in drills.signingKey")
	}
	if _, err := s.Key(ctx); err != nil {
		return failure.Unusable("drill: drills.signingKey: %w", err)
	}
	return nil
}

// readNamespaces are the namespaces of a backup that have objects, by its list of resources. Where
// there is none, as of Veleros before 1.10, its tarball is read. What will not be there later either
// is failure.NotFound.
func readNamespaces(ctx context.Context, st store.Store, backup string) ([]string, error) {
	of := layout.Backup{Name: backup}
	list, err := readResourceList(ctx, st, of.ResourceList())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("namespaces of backup %s: %w", backup, err)
	}
	all := namespacesIn(list)
	if len(all) == 0 {
		all, err = scanNamespaces(ctx, st, of.Tarball())
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, failure.NotFound("namespaces of backup %s: its tarball is gone: %w", backup, err)
	}
	if err != nil {
		return nil, fmt.Errorf("namespaces of backup %s: %w", backup, err)
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// scanNamespaces are the namespaces of the objects of a tarball.
func scanNamespaces(ctx context.Context, st store.Store, key string) (map[string]bool, error) {
	body, _, err := st.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	_, err = archive.Scan(ctx, body, archive.DefaultHostileLimits(), func(k archive.Key, _ []byte) error {
		switch {
		case k.Namespace != "":
			all[k.Namespace] = true
		case k.Resource == "namespaces":
			all[k.Name] = true
		}
		return nil
	})
	return all, errors.Join(err, body.Close())
}

// namespacesIn are those of a list of resources.
func namespacesIn(list report.ResourceList) map[string]bool {
	all := map[string]bool{}
	for kind, names := range list {
		for _, name := range names {
			if namespace, _, namespaced := strings.Cut(name, "/"); namespaced {
				all[namespace] = true
			} else if kind == "v1/Namespace" {
				all[name] = true
			}
		}
	}
	return all
}

func readResourceList(ctx context.Context, st store.Store, key string) (list report.ResourceList, err error) {
	data, err := repository.GetBytes(ctx, st, key)
	if err != nil {
		return nil, err
	}
	if err := packed.Decode(data, &list); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", key, archive.ErrCorrupt, err)
	}
	return list, nil
}

// mapNamespaces names the namespaces of the copy, by those of the backup that the spec selects.
func mapNamespaces(spec *definition.Spec, all []string, now time.Time) (map[string]string, error) {
	mapping, taken := map[string]string{}, map[string]string{}
	for _, name := range all {
		if !selects(spec, name) {
			continue
		}
		to := resource.LabelValue(copyName(spec, name, now)) // a name of a namespace has 63 characters as well
		if other, dup := taken[to]; dup {
			return nil, failure.Invalid("spec.keep.namespaces: %s and %s would both be %s; name them apart", other, name, to)
		}
		mapping[name], taken[to] = to, name
	}
	for _, name := range spec.IncludedNamespaces {
		if !glob.IsFilter(name) && mapping[name] == "" {
			return nil, failure.Invalid("spec.includedNamespaces: the backup has no namespace %q; it has %s", name, strings.Join(all[:min(len(all), 20)], ", "))
		}
	}
	if len(mapping) == 0 {
		return nil, failure.Invalid("spec.includedNamespaces: selects no namespace of the backup; it has %s", strings.Join(all[:min(len(all), 20)], ", "))
	}
	return mapping, nil
}

// copyName is what a namespace is called in the copy. One that is kept is found under the same name after
// each drill.
func copyName(spec *definition.Spec, namespace string, now time.Time) string {
	switch {
	case spec.Keep == nil:
		return "restore-test-" + now.UTC().Format("20060102") + "-" + namespace
	case spec.Keep.Namespaces[namespace] != "":
		return spec.Keep.Namespaces[namespace]
	}
	return "restore-test-" + namespace
}

func selects(spec *definition.Spec, namespace string) bool {
	match := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return p == namespace || glob.IsFilter(p) && glob.MatchFilter(p, namespace) })
	}
	return (len(spec.IncludedNamespaces) == 0 || match(spec.IncludedNamespaces)) && !match(spec.ExcludedNamespaces)
}
