package selection

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// selection is what the index says of the objects that a restore selects. It is gathered
// object by object and keeps none of them, so that its memory grows with the members and
// the namespaces of the archive and not with its objects.
type selection struct {
	s          *restore.Run
	rules      *resource.Registry
	inventory  *plan.Inventory
	namespaces map[string]bool  // those of all objects of the archive that were seen
	volumes    bool             // whether a selected object has to do with volumes
	dependents map[string]bool  // types whose objects may need what the filters leave out
	holders    map[string][]int // the members with selected objects of these types, by type
	unserved   map[string]bool  // custom types that the cluster does not serve
	leftOut    int              // cluster-scoped objects that the spec leaves out unasked
	lost       losses
}

// newSelection reads the index. For a restore of single objects of named types it looks
// these up instead, which takes a few range reads, whatever the size of the backup.
// unserved are the custom types of the archive that the cluster does not serve.
func newSelection(ctx context.Context, s *restore.Run, rules *resource.Registry, resolve filter.Resolver, unserved map[string]bool) (*selection, error) {
	x := &selection{
		s: s, rules: rules, inventory: plan.NewInventory(s.Plan.Filter), unserved: unserved,
		namespaces: map[string]bool{}, dependents: dependentTypes(s, rules, unserved), holders: map[string][]int{}, lost: losses{told: map[archive.Key]bool{}},
	}
	if err := x.addLost(ctx); err != nil {
		return x, err
	}
	if ok, err := x.lookUpObjects(ctx, resolve); ok || err != nil {
		return x, err
	}
	return x, s.Arc.WalkEntries(ctx, 0, len(s.Arc.Members()), func(m int, entries []archive.Entry) error {
		for _, e := range entries {
			x.addEntry(m, e)
		}
		return nil
	})
}

// addEntry adds an object of a member, if the filters select it.
func (x *selection) addEntry(m int, e archive.Entry) {
	ns := e.Namespace
	if e.Resource == "namespaces" {
		ns = e.Name
	}
	if ns != "" && !x.namespaces[ns] {
		x.namespaces[strings.Clone(ns)] = true // an entry's strings share the memory of its index block
	}
	if !x.inventory.Add(planObject(m, e.Key)) {
		if e.Namespace == "" && x.s.Plan.Filter.LeavesOutUnasked(e.Resource) {
			x.leftOut++
		}
		return
	}
	switch e.Resource {
	case resource.PersistentVolumes, resource.PersistentVolumeClaims, resource.StatefulSets:
		x.volumes = true
	}
	if held := x.holders[e.Resource]; x.dependents[e.Resource] && !slices.Contains(held[max(0, len(held)-1):], m) {
		x.holders[e.Resource] = append(held, m)
	}
}

func planObject(m int, k archive.Key) plan.Object {
	return plan.Object{Member: m, Resource: k.Resource, Namespace: k.Namespace, Name: k.Name}
}

// lookUpObjects serves a restore whose types and names are all spelled out. It reports
// whether this restore is one.
func (x *selection) lookUpObjects(ctx context.Context, resolve filter.Resolver) (bool, error) {
	types, ok := namedTypes(x.s.Restore, resolve)
	if !ok {
		return false, nil
	}
	var keys []archive.Key
	for _, t := range types {
		found, err := x.keysByName(ctx, t.GroupResource, x.s.Restore.Names)
		if err != nil {
			return true, err
		}
		keys = append(keys, found...)
	}
	for _, key := range withNamespaces(keys) {
		m, e, err := x.s.Arc.Lookup(ctx, key)
		switch {
		case errors.Is(err, archive.ErrNotFound):
		case err != nil:
			return true, err
		default:
			x.addEntry(m, e)
		}
	}
	return true, nil
}

// namedTypes returns the types of a restore of single objects. It reports false for a
// restore that names no objects, or not all of its types.
func namedTypes(in contract.RestoreInput, resolve filter.Resolver) ([]filter.Type, bool) {
	if len(in.Names) == 0 || len(in.Spec.IncludedResources) == 0 {
		return nil, false
	}
	var types []filter.Type
	for _, name := range in.Spec.IncludedResources {
		t, ok := resolve(name)
		if !ok || name == "*" {
			return nil, false
		}
		types = append(types, t)
	}
	return types, true
}
