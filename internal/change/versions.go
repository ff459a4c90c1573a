package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// ParseObject reads RESOURCE/NAMESPACE/NAME, or RESOURCE/NAME of a cluster-scoped object. The
// resource is as it was written: see ResolveResource.
func ParseObject(text string) (archive.Key, error) {
	parts := strings.Split(text, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return archive.Key{}, fmt.Errorf("object: %q is neither RESOURCE/NAMESPACE/NAME, such as secrets/shop/db, nor RESOURCE/NAME, such as clusterroles/admin", text)
	}
	k := archive.Key{Resource: parts[0], Name: parts[len(parts)-1]}
	if len(parts) == 3 {
		k.Namespace = parts[1]
	}
	return k, nil
}

// ResolveResource finds the resource ("plural.group") that a word means among those that there
// are: itself, the one with that plural, that singular, or that short name of Kubernetes' own. It
// is "" if none or several do.
func ResolveResource(all []string, word string) string {
	word = strings.ToLower(word)
	if slices.Contains(all, word) {
		return word
	}
	if plural := pluralOfShort(word); plural != "" {
		word = plural
	}
	found := ""
	for _, r := range all {
		plural, _, _ := strings.Cut(r, ".")
		if plural != word && !isPluralOf(plural, word) {
			continue
		}
		if found != "" && found != r {
			return ""
		}
		found = r
	}
	return found
}

// pluralOfShort knows the short names of Kubernetes' own types, which no backup has: those that
// discovery gives, and the snapshots' of external-snapshotter.
func pluralOfShort(word string) string {
	return map[string]string{
		"cj": "cronjobs", "cm": "configmaps", "crd": "customresourcedefinitions", "crds": "customresourcedefinitions", "csr": "certificatesigningrequests",
		"deploy": "deployments", "ds": "daemonsets", "ep": "endpoints", "ev": "events", "hpa": "horizontalpodautoscalers", "ing": "ingresses",
		"limits": "limitranges", "netpol": "networkpolicies", "no": "nodes", "ns": "namespaces", "pc": "priorityclasses", "pdb": "poddisruptionbudgets",
		"po": "pods", "pv": "persistentvolumes", "pvc": "persistentvolumeclaims", "quota": "resourcequotas", "rc": "replicationcontrollers",
		"rs": "replicasets", "sa": "serviceaccounts", "sc": "storageclasses", "sts": "statefulsets", "svc": "services",
		"vs": "volumesnapshots", "vsc": "volumesnapshotcontents", "vsclass": "volumesnapshotclasses",
	}[word]
}

// isPluralOf knows the plurals of Kubernetes' kinds.
func isPluralOf(plural, singular string) bool {
	stem, endsInY := strings.CutSuffix(singular, "y")
	return plural == singular+"s" || plural == singular+"es" || endsInY && plural == stem+"ies"
}

// Versions numbers the states of one object by the order in which they first appear.
type Versions struct{ seen []string }

// NumberOf is the number of an object's state, from 1. States that are digested by content are
// told apart from those that are not: nobody can say whether they are the same.
func (v *Versions) NumberOf(e archive.Entry) int {
	mark := "content " + e.Content
	if e.Content == "" {
		mark = "body " + e.SHA256
	}
	if i := slices.Index(v.seen, mark); i >= 0 {
		return i + 1
	}
	v.seen = append(v.seen, mark)
	return len(v.seen)
}
