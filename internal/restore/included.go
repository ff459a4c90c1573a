package restore

import (
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// Summary counts what the workflow is told of a plan.
func (d *Plan) Summary(s *Run) contract.RestorePlan {
	n := report.Tally(append(slices.Clone(s.Reasons), d.Reasons...))
	out := contract.RestorePlan{Ref: s.Archive.Ref, Objects: int64(d.Plan.Objects), Warnings: n.Warnings, Errors: n.Errors}
	out.Volumes = d.Volumes.Count((*Volume).HasData)
	out.Disks = d.Volumes.Count((*Volume).NeedsDisk)
	out.Claims = d.Volumes.Count((*Volume).Awaited)
	for _, l := range d.Plan.Levels {
		out.Levels = append(out.Levels, contract.LevelPlan{
			Name: l.Name, Tasks: len(l.Tasks), Objects: int64(l.Objects), CRDs: l.Level == plan.Definitions,
		})
	}
	return out
}

// RefOf names an object of the archive as the rules do.
func RefOf(k archive.Key) resource.Ref {
	return resource.Ref{Resource: k.Resource, Namespace: k.Namespace, Name: k.Name}
}

// Brought are the related objects of a plan.
func (d *Plan) Brought() map[resource.Ref]bool {
	out := make(map[resource.Ref]bool, len(d.Related))
	for _, ref := range d.Related {
		out[ref] = true
	}
	return out
}

// related says that an object is restored because a selected one needs it, whatever
// the filters say of it.
func (s *Run) related(k archive.Key) bool {
	return s.Index.Related(k.Resource, k.Name) || s.Brought[RefOf(k)]
}

// Includes says whether an object of the backup is restored, labels aside.
func (s *Run) Includes(gr, namespace, name string) bool {
	return s.Plan.Filter.IncludeObject(gr, namespace, name) ||
		s.related(archive.Key{Resource: gr, Namespace: namespace, Name: name})
}

// Selects says whether an object of the backup, of which these are the labels, is
// restored.
func (s *Run) Selects(k archive.Key, labels map[string]string) bool {
	f := s.Plan.Filter
	return s.related(k) || f.IncludeObject(k.Resource, k.Namespace, k.Name) && f.MatchLabels(k.Resource, labels)
}
