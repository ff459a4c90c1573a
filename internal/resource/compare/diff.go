package compare

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// FieldDiff is one field that is not the same on all sides. A side that lacks
// the field is nil.
type FieldDiff struct {
	Path   string `json:"path"`
	Backup any    `json:"backup,omitempty"`
	Live   any    `json:"live,omitempty"`
	Result any    `json:"result,omitempty"`
}

// AnnotationLastApplied holds the manifest that kubectl applied last.
const AnnotationLastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Diff compares an object as it is in the backup, as it lives in the cluster and
// as the restore would leave it, field by field, sorted by path. A side that is
// nil (nothing lives yet) takes no part. Server-owned metadata and status are
// left out. The values of Secrets are masked; equal letters mean equal values.
// No object is changed.
func Diff(resource string, backup, live, result map[string]any) []FieldDiff {
	var values [3]map[string]any
	for i, obj := range []map[string]any{backup, live, result} {
		values[i] = comparableFields(obj)
	}
	var diffs []FieldDiff
	for _, path := range unionOfKeys(values) {
		if equalSides(path, values) {
			continue
		}
		row := FieldDiff{Path: path, Backup: values[0][path], Live: values[1][path], Result: values[2][path]}
		if secretPath(resource, path) {
			row = maskRow(row)
		}
		diffs = append(diffs, row)
	}
	return diffs
}

// comparableFields are the fields of an object that Diff compares, by path; nil for no
// object. Empty objects and arrays are leaves too.
func comparableFields(obj map[string]any) map[string]any {
	if obj == nil {
		return nil
	}
	out := map[string]any{}
	for key, value := range obj {
		switch key {
		case "status":
		case "metadata":
			meta, _ := value.(map[string]any)
			for _, field := range []string{"name", "namespace", "labels", "annotations", "finalizers", "ownerReferences"} {
				if v, ok := meta[field]; ok {
					collectFields("metadata."+field, v, out)
				}
			}
		default:
			collectFields(key, value, out)
		}
	}
	return out
}

func collectFields(path string, value any, out map[string]any) {
	switch v := value.(type) {
	case nil:
	case map[string]any:
		if len(v) == 0 {
			out[path] = v
		}
		for key, item := range v {
			collectFields(JoinPath(path, key), item, out)
		}
	case []any:
		if len(v) == 0 {
			out[path] = v
		}
		for i, item := range v {
			collectFields(path+"["+strconv.Itoa(i)+"]", item, out)
		}
	default:
		out[path] = v
	}
}

func unionOfKeys(sides [3]map[string]any) []string {
	all := map[string]any{}
	for _, side := range sides {
		maps.Copy(all, side)
	}
	return slices.Sorted(maps.Keys(all))
}

func equalSides(path string, sides [3]map[string]any) bool {
	var first any
	seen := false
	for _, side := range sides {
		if side == nil {
			continue
		}
		if seen && !Same(first, side[path]) {
			return false
		}
		first, seen = side[path], true
	}
	return true
}

func secretPath(resource, path string) bool {
	return resource == "secrets" && (underField(path, "data") || underField(path, "stringData") ||
		path == JoinPath("metadata.annotations", AnnotationLastApplied))
}

func underField(path, field string) bool {
	rest, ok := strings.CutPrefix(path, field)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// maskRow replaces values by letters: the same letter for the same value.
func maskRow(row FieldDiff) FieldDiff {
	var seen []any
	letter := func(value any) any {
		if value == nil {
			return nil
		}
		for i := range seen {
			if Same(seen[i], value) {
				return fmt.Sprintf("<masked %c>", 'A'+i)
			}
		}
		seen = append(seen, value)
		return fmt.Sprintf("<masked %c>", 'A'+len(seen)-1)
	}
	row.Backup, row.Live, row.Result = letter(row.Backup), letter(row.Live), letter(row.Result)
	return row
}
