package selection

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// dependentTypes returns the types of the archive whose objects may need others that the
// filters leave out. There are none in a restore without filters, nor in one of a Secret.
func dependentTypes(s *restore.Run, rules *resource.Registry, unserved map[string]bool) map[string]bool {
	held, out := s.Arc.Resources(), map[string]bool{}
	for gr, types := range rules.Dependencies() {
		out[gr] = slices.ContainsFunc(types, func(n resource.Need) bool {
			return slices.Contains(held, n.Resource) && s.Plan.Filter.LeavesOut(n.Resource, n.Namespaced)
		})
	}
	for gr := range unserved {
		out[gr] = s.Plan.Filter.LeavesOut(resource.CustomResourceDefinitions, false)
	}
	return out
}

// unservedTypes returns the custom types of the archive that the cluster does not serve and
// whose definitions the archive may hold.
func unservedTypes(s *restore.Run, cat kube.Catalog) map[string]bool {
	out, held := map[string]bool{}, s.Arc.Resources()
	if !slices.Contains(held, resource.CustomResourceDefinitions) {
		return out
	}
	for _, gr := range held {
		if _, group, custom := strings.Cut(gr, "."); custom && cat.Lacks(gr, group) {
			out[gr] = true
		}
	}
	return out
}

// addDependencies adds to the restore what selected objects of some types need, as far as the
// backup has it (docs/VELERO.md 7.5). The labels of the spec do not leave a dependency out;
// its types, its namespaces and a ban on cluster-scoped objects do.
func (x *selection) addDependencies(ctx context.Context, types ...string) error {
	wanted, err := x.dependenciesOf(ctx, types)
	if err != nil {
		return fmt.Errorf("find what selected objects need: %w", err)
	}
	found, err := x.s.Arc.Find(ctx, wanted)
	if err != nil {
		return err
	}
	for _, key := range wanted {
		member, ok := found[key]
		if !ok {
			x.tellLost(key)
			continue // it may be in the cluster; if not, the API server or the pod says what is missing
		}
		x.inventory.AddRelated(planObject(member, key))
		x.volumes = x.volumes || key.Resource == resource.PersistentVolumeClaims
		if key.Namespace == "" && x.s.Plan.Filter.LeavesOutUnasked(key.Resource) {
			x.leftOut--
		}
		x.s.Plan.Related = append(x.s.Plan.Related, restore.RefOf(key))
	}
	x.s.Dependencies = x.s.Plan.DependencySet()
	return nil
}

// dependenciesOf reads the selected objects of some types and returns each object that they
// need, once. A member holds objects of many types where each has few: it is read once for
// all of them, and members that follow each other by one request.
func (x *selection) dependenciesOf(ctx context.Context, types []string) ([]archive.Key, error) {
	var members []int
	for _, gr := range types {
		members = append(members, x.holders[gr]...)
	}
	slices.Sort(members)
	members = slices.Compact(members)
	asked, seen := sets.New(types...), map[archive.Key]bool{}
	var out []archive.Key
	for len(members) > 0 {
		n := countContiguous(members)
		err := x.s.Arc.Walk(ctx, members[0], members[n-1]+1, func(_ int, e archive.Entry, body []byte) error {
			if !asked.Has(e.Resource) {
				return nil
			}
			for _, key := range x.objectDependencies(e, body) {
				if !seen[key] {
					seen[key] = true
					out = append(out, key)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		members = members[n:]
	}
	return out, nil
}

// objectDependencies returns the keys of what one object needs, if it is selected. An object
// that does not decode needs nothing here, and is reported when it is applied.
func (x *selection) objectDependencies(e archive.Entry, body []byte) []archive.Key {
	gr := e.Resource
	if !x.s.Includes(gr, e.Namespace, e.Name) {
		return nil
	}
	var obj map[string]any
	if json.Unmarshal(body, &obj) != nil || !x.s.Selects(e.Key, resource.LabelsOf(obj)) {
		return nil
	}
	if gr == resource.VolumeSnapshots && x.s.Index.Taken[resource.ObjectName(e.Namespace, e.Name)] {
		return nil // the backup took it of a claim, which is restored with what it needs
	}
	var out []archive.Key
	f := x.s.Plan.Filter
	needs := x.rules.Needs(gr, obj)
	if x.unserved[gr] {
		needs = append(needs, resource.Ref{Resource: resource.CustomResourceDefinitions, Name: gr})
	}
	for _, ref := range needs {
		selected := !f.HasSelectors() && f.IncludeObject(ref.Resource, ref.Namespace, ref.Name)
		if !selected && f.IncludeRelated(ref.Resource, ref.Namespace) {
			out = append(out, archive.Key{Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name})
		}
	}
	return out
}

// addBoundVolumes adds the volumes that selected claims are bound to and that the filters
// leave out.
func (x *selection) addBoundVolumes(ctx context.Context) error {
	var keys []archive.Key
	for _, name := range slices.Sorted(maps.Keys(x.s.Index.Pvs)) {
		if x.s.Index.Related(resource.PersistentVolumes, name) && !x.s.Plan.Filter.IncludeObject(resource.PersistentVolumes, "", name) {
			keys = append(keys, archive.Key{Resource: resource.PersistentVolumes, Name: name})
		}
	}
	found, err := x.s.Arc.Find(ctx, keys)
	if err != nil {
		return err
	}
	for _, key := range keys {
		member, ok := found[key]
		if !ok && x.tellLost(key) {
			continue
		}
		if !ok {
			return fmt.Errorf("look up %s: %w", key, archive.ErrNotFound)
		}
		x.inventory.AddRelated(planObject(member, key))
	}
	return nil
}
