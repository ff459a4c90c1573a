package comparison

import (
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// Who sets a field otherwise than the backup has it.
const (
	ByRule      = "rule"       // of the kind: docs/VELERO.md, package resource
	ByAPIServer = "API server" // a default, or what it assigns in place of what a rule left to it
)

// Differences says in which fields a restored object differs from the stored one on purpose,
// and in which others. The normalisation: status, and metadata that the server owns, are no
// difference (package compare), nor are the labels that name backup and restore, nor the uid
// of an owner, which is linked by name.
func Differences(gr string, stored, wanted, live map[string]any) (onPurpose []contract.RehearsalChange, unwanted []string) {
	for _, obj := range []map[string]any{stored, wanted, live} {
		normalise(obj)
	}
	for _, row := range compare.Diff(gr, stored, live, wanted) {
		b, l, w := row.Backup, row.Live, row.Result
		by := ByRule
		switch {
		case same(b, l):
			continue
		case same(w, l):
		case isEmpty(w), isAssigned(gr, row.Path):
			by = ByAPIServer
		default:
			unwanted = append(unwanted, FieldOf(row.Path))
			continue
		}
		if c := (contract.RehearsalChange{Resource: gr, Field: FieldOf(row.Path), By: by}); !slices.Contains(onPurpose, c) {
			onPurpose = append(onPurpose, c)
		}
	}
	slices.Sort(unwanted)
	return onPurpose, slices.Compact(unwanted)
}

// isAssigned says that the API server sets a field whatever a client asks for: a pod has the
// labels of the node that it is bound to.
func isAssigned(gr, path string) bool {
	return gr == resource.Pods && strings.HasPrefix(path, `metadata.labels["topology.kubernetes.io/`)
}

// same compares two values of a field: what is empty is as good as missing.
func same(a, b any) bool { return isEmpty(a) && isEmpty(b) || compare.Same(a, b) }

func isEmpty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(x) == 0
	case []any:
		return len(x) == 0
	}
	return false
}

// normalise takes out of an object what no restore can give back.
func normalise(obj map[string]any) {
	meta, _ := obj["metadata"].(map[string]any)
	if labels, ok := meta["labels"].(map[string]any); ok {
		delete(labels, resource.LabelBackup)
		delete(labels, resource.LabelRestore)
	}
	owners, _ := meta["ownerReferences"].([]any)
	for _, o := range owners {
		if ref, ok := o.(map[string]any); ok {
			delete(ref, "uid")
			delete(ref, "blockOwnerDeletion") // it is the admission of the owner's controller that sets it
		}
	}
}

// FieldOf is a path as people sum it up: without positions, two names deep.
func FieldOf(path string) string {
	var b strings.Builder
	names := 1
	for i := 0; i < len(path); i++ {
		switch c := path[i]; c {
		case '[':
			if i+1 < len(path) && path[i+1] == '"' {
				return b.String() // a key, such as that of a label
			}
			for i < len(path) && path[i] != ']' {
				i++
			}
		case '.':
			if names++; names > 2 {
				return b.String()
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// SetByOthers says that another manager than ours owns a field of a live object, as FieldOf
// names it: a controller has set it since it was created. What a webhook changes while an object
// is created is ours.
func SetByOthers(live map[string]any, field, ours string) bool {
	meta, _ := live["metadata"].(map[string]any)
	entries, _ := meta["managedFields"].([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		if entry["manager"] == ours {
			continue
		}
		at, _ := entry["fieldsV1"].(map[string]any)
		owns := at != nil
		for _, name := range strings.Split(field, ".") {
			next, known := at["f:"+name].(map[string]any)
			if owns = owns && known; !owns {
				break
			}
			at = next
		}
		if owns {
			return true
		}
	}
	return false
}
