package selection

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// typesWithNeeds are the types of the archive whose objects may need others that the filters
// leave out. There are none in a restore without filters, nor in one of a Secret.
func typesWithNeeds(s *restore.Run, rules *resource.Registry) map[string]bool {
	held, out := s.Arc.Resources(), map[string]bool{}
	for gr, types := range rules.Dependencies() {
		out[gr] = slices.ContainsFunc(types, func(n resource.Need) bool {
			return slices.Contains(held, n.Resource) && s.Plan.Filter.LeavesOut(n.Resource, n.Namespaced)
		})
	}
	return out
}

// bring adds to the restore what selected objects of a type need and the backup has
// (docs/VELERO.md 7.5). It passes by labels, but not by the types and namespaces of the spec,
// nor by a ban on cluster-scoped objects.
func (x *selection) bring(ctx context.Context, gr string) error {
	wanted, err := x.needed(ctx, gr)
	if err != nil {
		return fmt.Errorf("find what %s need: %w", gr, err)
	}
	found, err := x.s.Arc.Find(ctx, wanted)
	if err != nil {
		return err
	}
	for _, key := range wanted {
		m, there := found[key]
		if !there {
			continue // it may be in the cluster; if not, the API server or the pod says what is missing
		}
		x.census.AddRelated(object(m, key))
		x.volumes = x.volumes || key.Resource == resource.PersistentVolumeClaims
		x.s.Plan.Related = append(x.s.Plan.Related, restore.RefOf(key))
	}
	x.s.Brought = x.s.Plan.Brought()
	return nil
}

// needed reads the objects of a type that are selected, in runs of neighbouring
// members, and names each object once that they need.
func (x *selection) needed(ctx context.Context, gr string) ([]archive.Key, error) {
	members := slices.Compact(slices.Sorted(slices.Values(x.holders[gr])))
	seen := map[archive.Key]bool{}
	var out []archive.Key
	for len(members) > 0 {
		n := run(members)
		err := x.s.Arc.Walk(ctx, members[0], members[n-1]+1, func(_ int, e archive.Entry, body []byte) error {
			for _, key := range x.needs(gr, e, body) {
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

// run is how many numbers at the start of a sorted list follow on each other.
func run(sorted []int) int {
	n := 1
	for n < len(sorted) && sorted[n] == sorted[0]+n {
		n++
	}
	return n
}

// needs are the keys of what one object needs, if it is selected. One that does not
// decode needs nothing: when it is applied it is said what is wrong with it.
func (x *selection) needs(gr string, e archive.Entry, body []byte) []archive.Key {
	if e.Resource != gr || !x.s.Includes(gr, e.Namespace, e.Name) {
		return nil
	}
	var obj map[string]any
	if json.Unmarshal(body, &obj) != nil || !x.s.Selects(e.Key, resource.LabelsOf(obj)) {
		return nil
	}
	if gr == resource.VolumeSnapshots && x.s.Index.Taken[resource.ObjectName(e.Namespace, e.Name)] {
		return nil // its claim brings what it needs of it
	}
	var out []archive.Key
	f := x.s.Plan.Filter
	for _, ref := range x.rules.Needs(gr, obj) {
		there := !f.HasSelectors() && f.IncludeObject(ref.Resource, ref.Namespace, ref.Name)
		if !there && f.IncludeRelated(ref.Resource, ref.Namespace) {
			out = append(out, archive.Key{Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name})
		}
	}
	return out
}

// bringVolumes adds the volumes that selected claims are bound to.
func (x *selection) bringVolumes(ctx context.Context) error {
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
		m, there := found[key]
		if !there {
			return fmt.Errorf("look up %s: %w", key, archive.ErrNotFound)
		}
		x.census.AddRelated(object(m, key))
	}
	return nil
}
