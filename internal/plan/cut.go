package plan

import (
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// callCost is what a list call costs, in objects: 2 to 5 ms against about
// 0.1 ms an object.
const callCost = 25

// pieces is into how many parts of a shard's size a large type is cut: more
// parts fill the shards more evenly, and cost nothing where the namespaces
// would be listed one by one anyway.
const pieces = 4

// cutType gives the lists of one type: one, or several that share its namespaces
// when the type is larger than a shard should be.
func cutType(t TypeCount, f *filter.Backup, shardSize int64) []List {
	whole := List{Type: t.Type, Selectors: f.Selectors(), Count: max(0, t.Count)}
	if t.GroupResource == "namespaces" {
		// Namespace objects are chosen by filter.Backup.KeepNamespace.
		whole.Selectors = []string{""}
	}
	lists := []List{whole}
	if t.Namespaced {
		lists = byNamespace(whole, t, f, shardSize)
	}
	return assignOrdered(lists, f.Ordered(t.Type))
}

// byNamespace cuts a namespaced type. Where all namespaces are selected, one
// list of the whole cluster is the cheapest call there is and is kept unless
// the type is too large for a shard and its namespaces are large enough to be
// worth a call each. Where some are, they are listed one by one, unless the
// whole cluster has fewer objects than that many calls are worth.
func byNamespace(whole List, t TypeCount, f *filter.Backup, shardSize int64) []List {
	names := f.Namespaces()
	switch {
	case f.AllNamespaces() && !worthCutting(t, len(names), shardSize):
		return []List{whole}
	case len(names) == 0:
		return nil
	case !f.AllNamespaces() && isSparse(t, len(names)):
		return []List{whole}
	}
	sizes := namespaceSizes(t, names, f.AllNamespaces())
	var lists []List
	for from := 0; from < len(names); {
		to := from + takePiece(sizes[from:], shardSize/pieces)
		l := whole
		l.Namespaces, l.Count = names[from:to], sumSizes(sizes[from:to])
		lists, from = append(lists, l), to
	}
	return lists
}

func worthCutting(t TypeCount, namespaces int, shardSize int64) bool {
	return namespaces > 1 && t.Count > shardSize && t.Count >= callCost*int64(namespaces)
}

// isSparse: 200 selected namespaces times 60 types would be 12,000 calls, nearly
// all for nothing.
func isSparse(t TypeCount, namespaces int) bool {
	return t.Count >= 0 && t.Count+callCost < callCost*int64(namespaces)
}

// namespaceSizes estimates the objects in each namespace: as counted, else an
// even share of the count. Where only some namespaces are selected the count
// of the cluster is an upper bound; nothing better is known.
func namespaceSizes(t TypeCount, names []string, all bool) []int64 {
	sizes := make([]int64, len(names))
	for i, ns := range names {
		if t.PerNamespace != nil {
			sizes[i] = t.PerNamespace[ns]
		} else {
			sizes[i] = max(0, t.Count) / int64(len(names))
		}
	}
	if all && t.PerNamespace == nil {
		sizes[0] += max(0, t.Count) % int64(len(names))
	}
	return sizes
}

// takePiece is how many of the sizes make up about one piece: at least one, and no
// more than the limit with the cost of their calls.
func takePiece(sizes []int64, limit int64) int {
	var used int64
	for i, s := range sizes {
		used += s + callCost
		if used > limit && i > 0 {
			return i
		}
	}
	return len(sizes)
}

func sumSizes(sizes []int64) int64 {
	var n int64
	for _, s := range sizes {
		n += s
	}
	return n
}

// assignOrdered makes the first list of a type fetch the ordered objects and every
// list of the type pass over them.
func assignOrdered(lists []List, names []string) []List {
	if len(names) == 0 || len(lists) == 0 {
		return lists
	}
	lists[0].Ordered = slices.Clone(names)
	for i := range lists {
		lists[i].Skip = slices.Clone(names)
	}
	return lists
}
