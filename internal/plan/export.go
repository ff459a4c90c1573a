package plan

import (
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// TypeCount is a discovered type and about how many objects it has.
type TypeCount struct {
	filter.Type
	// Count is the number of objects in the whole cluster; -1 if unknown.
	Count int64 `json:"count"`
	// PerNamespace refines Count for namespaced types; nil if not counted. It
	// makes the shards of a large type even.
	PerNamespace map[string]int64 `json:"perNamespace,omitempty"`
}

// List is one or more list calls for one type: for every namespace and every
// selector one. All calls of a List are made in order by one shard.
type List struct {
	Type filter.Type `json:"type"`
	// Namespaces to list one by one; nil means one list of the whole cluster,
	// whose objects filter.Backup.IncludeNamespace sorts out.
	Namespaces []string `json:"namespaces,omitempty"`
	// Selectors to list with; [""] for all objects. When there are several,
	// filter.Backup.FirstMatch keeps an object from being stored twice.
	Selectors []string `json:"selectors"`
	// Ordered objects are fetched by name before anything is listed, and
	// stored first, in this order, if the filter selects them.
	Ordered []string `json:"ordered,omitempty"`
	// Skip objects are passed over when listed: they are Ordered here or in
	// an earlier list of the type.
	Skip []string `json:"skip,omitempty"`
	// Count is about how many objects the list gives.
	Count int64 `json:"count"`
}

// Shard is the work of one export activity.
type Shard struct {
	// ID is the place of the shard in the archive, from 0.
	ID    int    `json:"id"`
	Lists []List `json:"lists"`
	// Count is about how many objects the shard gives.
	Count int64 `json:"count"`
}

// ExportOptions bound the number of shards. The zero value works.
type ExportOptions struct {
	// Parallelism is the number of shards exported at a time (default 4). Twice
	// as many are planned at most, so that one slow shard does not leave the
	// others idle at the end.
	Parallelism int
	// ObjectsPerShard is the least that is worth an activity (default 2,500):
	// an activity costs 20 to 85 ms, about as long as 250 objects take.
	ObjectsPerShard int64
	// MaxShards is an upper bound whatever else is said; 0 for none.
	MaxShards int
}

func (o ExportOptions) shardCount(total int64) int {
	parallel, per := o.Parallelism, o.ObjectsPerShard
	if parallel <= 0 {
		parallel = 4
	}
	if per <= 0 {
		per = 2500
	}
	n := min(int64(2*parallel), total/per+1)
	if o.MaxShards > 0 {
		n = min(n, int64(o.MaxShards))
	}
	return int(n)
}

// Export plans the list calls of a backup. It is deterministic whatever the
// order of types. The result is empty when nothing is to be listed.
func Export(types []TypeCount, f *filter.Backup, o ExportOptions) []Shard {
	wanted := listedTypes(types, f)
	var total int64
	for _, t := range wanted {
		total += max(0, t.Count)
	}
	n := o.shardCount(total)
	var units []List
	for _, t := range wanted {
		units = append(units, cutType(t, f, total/int64(n)+1)...)
	}
	return packLists(units, n)
}

// listedTypes are the types that the filter lists, in archive order, each set of
// cohabiting types represented by its first.
func listedTypes(types []TypeCount, f *filter.Backup) []TypeCount {
	sorted := slices.Clone(types)
	slices.SortStableFunc(sorted, func(a, b TypeCount) int { return archiveOrder(a.Type, b.Type) })
	seen := map[string]bool{}
	var out []TypeCount
	for _, t := range sorted {
		if f.IncludeType(t.Type) != filter.All || seen[t.GroupResource] || seen[t.CohabitingObjects()] {
			continue
		}
		seen[t.GroupResource] = true
		if c := t.CohabitingObjects(); c != "" {
			seen[c] = true
		}
		out = append(out, t)
	}
	return out
}
