package report

import "slices"

// Action is what a restore did with one object, in Velero's words.
type Action string

// The words that Velero's describe shows in parentheses behind each object.
const (
	Created Action = "created"
	Updated Action = "updated"
	Failed  Action = "failed"
	Skipped Action = "skipped"
)

// ResourceList is the document in Velero's resource-list files: from
// "group/version/Kind" (core: "v1/Kind") to the sorted names of its objects.
type ResourceList map[string][]string

// Add records an object of a backup. Call Sort before writing the list.
func (l ResourceList) Add(apiVersion, kind, namespace, name string) {
	l.addEntry(apiVersion, kind, ObjectName(namespace, name))
}

// AddRestored records an object of a restore with what was done to it and, behind Velero's
// form, a note.
func (l ResourceList) AddRestored(apiVersion, kind, namespace, name string, a Action, note string) {
	entry := ObjectName(namespace, name) + "(" + string(a) + ")"
	if note != "" {
		entry += " " + note
	}
	l.addEntry(apiVersion, kind, entry)
}

func (l ResourceList) addEntry(apiVersion, kind, entry string) {
	key := apiVersion + "/" + kind
	l[key] = append(l[key], entry)
}

// Sort orders every list and drops repeated entries, so that the file depends
// only on what is in the backup.
func (l ResourceList) Sort() {
	for key, names := range l {
		slices.Sort(names)
		l[key] = slices.Compact(names)
	}
}

// ObjectName is "namespace/name", or the name alone of a cluster-scoped object.
func ObjectName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
