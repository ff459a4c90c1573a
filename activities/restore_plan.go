package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Plan selects objects by the index alone and orders them into levels and tasks.
// It may repeat: the plan is overwritten.
func (r *Restore) Plan(ctx context.Context, p *Pulse, in contract.PlanRestoreInput) (contract.RestorePlan, error) {
	s, err := r.open(ctx, in.Archive.Ref)
	if err != nil {
		return contract.RestorePlan{}, err
	}
	cat, err := r.Kube.Discover(ctx)
	if err != nil {
		return contract.RestorePlan{}, fmt.Errorf("discover resource types: %w", err)
	}
	objs, contents, err := s.objects(ctx, resolver(cat))
	if err != nil {
		return contract.RestorePlan{}, err
	}
	f, reasons, err := filter.NewRestore(&s.Restore.Spec, s.Restore.Names, resolver(cat), contents)
	if err != nil {
		return contract.RestorePlan{}, err
	}
	doc := restorePlan{Filter: f, Reasons: reasons}
	if doc.Volumes, reasons, err = r.planVolumes(ctx, s, cat, f, objs); err != nil {
		return contract.RestorePlan{}, err
	}
	doc.Reasons = append(doc.Reasons, reasons...)
	s.index = doc.Volumes.index()
	if objs, err = s.addRelated(ctx, objs); err != nil {
		return contract.RestorePlan{}, err
	}
	doc.Plan = plan.Restore(slices.Values(objs), f, plan.RestoreOptions{
		Related: func(o plan.Object) bool { return s.index.related(o.Resource, o.Name) },
	})
	if doc.Plan.Objects == 0 {
		doc.Reasons = append(doc.Reasons, report.New(report.NothingSelected, "the filters select no object of the backup"))
	}
	if err := s.intact(ctx, doc.Plan); err != nil {
		return contract.RestorePlan{}, fmt.Errorf("check backup %s: %w", s.Archive.Backup, err)
	}
	p.Count(int64(doc.Plan.Objects), 0)
	// The plan is kept first: it tells what to clean up of what the probe makes.
	if err := s.stage.put(ctx, planFile, doc); err != nil {
		return contract.RestorePlan{}, err
	}
	if reasons, err = r.probe(ctx, s, doc.Volumes, usualProbe()); err != nil {
		return contract.RestorePlan{}, err
	}
	doc.Reasons = append(doc.Reasons, reasons...)
	return doc.summary(s), s.stage.put(ctx, planFile, doc)
}

func (d *restorePlan) summary(s *session) contract.RestorePlan {
	n := report.Tally(append(slices.Clone(s.Reasons), d.Reasons...))
	out := contract.RestorePlan{Ref: s.Archive.Ref, Objects: int64(d.Plan.Objects), Warnings: n.Warnings, Errors: n.Errors}
	out.Volumes = d.Volumes.count((*restoreVolume).hasData)
	out.Disks = d.Volumes.count((*restoreVolume).needsDisk)
	out.Claims = d.Volumes.count((*restoreVolume).awaited)
	for _, l := range d.Plan.Levels {
		out.Levels = append(out.Levels, contract.LevelPlan{
			Name: l.Name, Tasks: len(l.Tasks), Objects: int64(l.Objects), CRDs: l.Level == plan.Definitions,
		})
	}
	return out
}

// objects reads the index. For a restore of single objects of named types it looks
// them up instead: a few range reads, whatever the size of the backup.
func (s *session) objects(ctx context.Context, resolve filter.Resolver) ([]plan.Object, filter.Contents, error) {
	if objs, ok, err := s.lookups(ctx, resolve); ok || err != nil {
		return objs, s.contents(objs), err
	}
	var objs []plan.Object
	err := s.arc.WalkEntries(ctx, 0, len(s.arc.Members()), func(m int, entries []archive.Entry) error {
		for _, e := range entries {
			objs = append(objs, object(m, e))
		}
		return nil
	})
	return objs, s.contents(objs), err
}

// addRelated looks up the volumes that selected claims need, where the index was not
// read as a whole.
func (s *session) addRelated(ctx context.Context, objs []plan.Object) ([]plan.Object, error) {
	there := map[string]bool{}
	for _, o := range objs {
		if o.Resource == pvResource {
			there[o.Name] = true
		}
	}
	for _, name := range sortedKeys(s.index.pvs) {
		if !s.index.related(pvResource, name) || there[name] {
			continue
		}
		m, e, err := s.arc.Lookup(ctx, archive.Key{Resource: pvResource, Name: name})
		if err != nil {
			return nil, fmt.Errorf("look up volume %s: %w", name, err)
		}
		objs = append(objs, object(m, e))
	}
	return objs, nil
}

func object(m int, e archive.Entry) plan.Object {
	return plan.Object{Member: m, Resource: e.Resource, Namespace: e.Namespace, Name: e.Name}
}

// lookups serves a restore whose types and names are all spelled out.
func (s *session) lookups(ctx context.Context, resolve filter.Resolver) ([]plan.Object, bool, error) {
	if len(s.Restore.Names) == 0 || len(s.Restore.Spec.IncludedResources) == 0 {
		return nil, false, nil
	}
	var objs []plan.Object
	for _, typ := range s.Restore.Spec.IncludedResources {
		t, ok := resolve(typ)
		if !ok || typ == "*" {
			return nil, false, nil
		}
		for _, name := range s.Restore.Names {
			ns, n := splitName(name)
			for _, key := range []archive.Key{{Resource: t.GroupResource, Namespace: ns, Name: n}, {Resource: "namespaces", Name: ns}} {
				m, e, err := s.arc.Lookup(ctx, key)
				if errors.Is(err, archive.ErrNotFound) {
					continue
				}
				if err != nil {
					return nil, true, err
				}
				objs = append(objs, object(m, e))
			}
		}
	}
	return objs, true, nil
}

func (s *session) contents(objs []plan.Object) filter.Contents {
	namespaces := map[string]bool{}
	for _, o := range objs {
		switch {
		case o.Namespace != "":
			namespaces[o.Namespace] = true
		case o.Resource == "namespaces":
			namespaces[o.Name] = true
		}
	}
	return filter.Contents{
		Namespaces: slices.Sorted(maps.Keys(namespaces)), Resources: s.arc.Resources(),
	}
}
