package apply

import (
	"fmt"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// mergedSources are the source namespaces of each target that a mapping gives to several, in
// the order of their precedence: the one of the target's name, unless it is mapped itself,
// then by name.
func mergedSources(mapping map[string]string) map[string][]string {
	out := map[string][]string{}
	for from, to := range mapping {
		if from != to {
			out[to] = append(out[to], from)
		}
	}
	for to, sources := range out {
		slices.Sort(sources)
		if at, mapped := mapping[to]; !mapped || at == to {
			out[to] = slices.Insert(sources, 0, to)
		}
		if len(out[to]) < 2 {
			delete(out, to)
		}
	}
	return out
}

// endAtClash ends the way of an object whose place in the target belongs to one of the same
// type and name out of a source namespace that comes first. Which one does is decided by the
// archive alone, so that it is the same in every attempt.
func (t *transformer) endAtClash(want *desired) *outcome {
	e, source, target := want.entry, want.entry.Namespace, want.namespace
	if e.Resource == "namespaces" {
		source, target = e.Name, want.name
	}
	for _, other := range t.merged[target] {
		if other == source {
			return nil
		}
		key := archive.Key{Resource: e.Resource, Namespace: other, Name: e.Name}
		if e.Resource == "namespaces" {
			key.Namespace, key.Name = "", other
		}
		first := t.transformStored(key)
		if first == nil {
			continue
		}
		want.rules.Owners = nil // the object that is there is another one
		if t.registry.MergePatch(e.Resource, first.object, want.object) == nil {
			return &outcome{action: string(report.Skipped), reason: equalReason}
		}
		return endWith(leftOutOutcome(source, other, target))
	}
	return nil
}

// leftOutOutcome is that of an object in the place of which one of another source namespace
// is restored. No policy changes that.
func leftOutOutcome(source, other, target string) outcome {
	out := skippedOutcome(report.ExistsDiffers, fmt.Sprintf("that of namespace %s is restored to %s and differs; this one, of %s, was left out", other, target, source))
	out.reasons[0].Next = "nothing if that of " + other + " is the one to have; otherwise restore " + source + " alone, or into a namespace of its own (--namespace-mappings)"
	return out
}

// transformStored is the desired object of a key of the archive, nil where the restore wants
// none.
func (t *transformer) transformStored(key archive.Key) *desired {
	if !t.lookup.Has(key.Resource, key.Namespace, key.Name) {
		return nil
	}
	body := t.lookup.Read(key)
	if body == nil {
		return nil
	}
	want, ended := t.transform(storedObject{archive.Entry{Key: key}, body})
	if ended != nil {
		return nil
	}
	return want
}
