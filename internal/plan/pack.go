package plan

import "slices"

// cost of a list in objects, calls included.
func (l List) cost() int64 {
	calls := max(1, len(l.Namespaces)) * len(l.Selectors)
	return l.Count + int64(len(l.Ordered)) + callCost*int64(calls)
}

// packLists cuts the sequence of lists into at most n runs whose largest is as
// small as can be. Runs, not any sets: the archive keeps the order of types.
func packLists(lists []List, n int) []Shard {
	if len(lists) == 0 {
		return nil
	}
	var low, high int64 // the size of the largest run: at least low, at most high
	for _, l := range lists {
		low, high = max(low, l.cost()), high+l.cost()
	}
	for low < high {
		mid := low + (high-low)/2
		if countRuns(lists, mid) <= n {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return fillShards(lists, low)
}

// countRuns is how many runs of at most size the lists need, filled in order.
func countRuns(lists []List, size int64) int {
	n, used := 1, int64(0)
	for _, l := range lists {
		if used+l.cost() > size && used > 0 {
			n, used = n+1, 0
		}
		used += l.cost()
	}
	return n
}

func fillShards(lists []List, size int64) []Shard {
	shards := []Shard{{}}
	var used int64
	for _, l := range lists {
		if used+l.cost() > size && used > 0 {
			shards, used = append(shards, Shard{ID: len(shards)}), 0
		}
		shards[len(shards)-1].addList(l)
		used += l.cost()
	}
	return shards
}

// addList joins a list to the one before when both are pieces of one type.
func (s *Shard) addList(l List) {
	s.Count += l.Count
	if n := len(s.Lists); n > 0 && l.Namespaces != nil && s.Lists[n-1].Type == l.Type {
		last := &s.Lists[n-1]
		last.Namespaces = slices.Concat(last.Namespaces, l.Namespaces)
		last.Count += l.Count
		return
	}
	s.Lists = append(s.Lists, l)
}
