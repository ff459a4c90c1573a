package selection

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// selection is what the index says of the objects that a restore selects. It is
// gathered object by object and keeps none of them: its memory grows with the members
// and the namespaces of the archive.
type selection struct {
	s          *restore.Run
	rules      *resource.Registry
	census     *plan.Inventory
	namespaces map[string]bool  // of all objects of the archive that were seen
	volumes    bool             // a selected object has to do with volumes
	needy      map[string]bool  // types whose objects may need what the filters leave out
	holders    map[string][]int // of these types: the members with selected objects
}

// newSelection reads the index. For a restore of single objects of named types it looks
// them up instead: a few range reads, whatever the size of the backup.
func newSelection(ctx context.Context, s *restore.Run, rules *resource.Registry, resolve filter.Resolver) (*selection, error) {
	x := &selection{
		s: s, rules: rules, census: plan.NewInventory(s.Plan.Filter),
		namespaces: map[string]bool{}, needy: typesWithNeeds(s, rules), holders: map[string][]int{},
	}
	if ok, err := x.lookups(ctx, resolve); ok || err != nil {
		return x, err
	}
	return x, s.Arc.WalkEntries(ctx, 0, len(s.Arc.Members()), func(m int, entries []archive.Entry) error {
		for _, e := range entries {
			x.add(m, e)
		}
		return nil
	})
}

func (x *selection) add(m int, e archive.Entry) {
	ns := e.Namespace
	if e.Resource == "namespaces" {
		ns = e.Name
	}
	if ns != "" && !x.namespaces[ns] {
		x.namespaces[strings.Clone(ns)] = true // an index block's strings share its memory
	}
	if !x.census.Add(object(m, e.Key)) {
		return
	}
	switch e.Resource {
	case resource.PersistentVolumes, resource.PersistentVolumeClaims, resource.StatefulSets:
		x.volumes = true
	}
	if held := x.holders[e.Resource]; x.needy[e.Resource] && !slices.Contains(held[max(0, len(held)-1):], m) {
		x.holders[e.Resource] = append(held, m)
	}
}

func object(m int, k archive.Key) plan.Object {
	return plan.Object{Member: m, Resource: k.Resource, Namespace: k.Namespace, Name: k.Name}
}

// lookups serves a restore whose types and names are all spelled out.
func (x *selection) lookups(ctx context.Context, resolve filter.Resolver) (bool, error) {
	in := x.s.Restore
	if len(in.Names) == 0 || len(in.Spec.IncludedResources) == 0 {
		return false, nil
	}
	var keys []archive.Key
	for _, typ := range in.Spec.IncludedResources {
		t, ok := resolve(typ)
		if !ok || typ == "*" {
			return false, nil
		}
		of, err := x.spelled(ctx, t.GroupResource, in.Names)
		if err != nil {
			return true, err
		}
		keys = append(keys, of...)
	}
	for _, key := range withNamespaces(keys) {
		m, e, err := x.s.Arc.Lookup(ctx, key)
		switch {
		case errors.Is(err, archive.ErrNotFound):
		case err != nil:
			return true, err
		default:
			x.add(m, e)
		}
	}
	return true, nil
}
