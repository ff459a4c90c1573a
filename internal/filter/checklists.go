package filter

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"

	"github.com/lifeboat-backup/lifeboat/internal/glob"
)

// elementPath is the path of a list's element.
func elementPath(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// checkLists holds for the old resource filters and for namespaces: "*" stands
// alone in an include list and never in an exclude list, and no entry is in
// both.
func checkLists(include, exclude string, in, ex []string) []FieldError {
	errs := checkAlone(include, in)
	for i, e := range ex {
		if e == everything {
			errs = append(errs, FieldError{elementPath(exclude, i), "cannot be '*': to leave everything out, include nothing else instead"})
		}
	}
	return append(errs, checkBoth(include, exclude, in, ex)...)
}

// checkScoped holds for the new resource filters: an exclude list may be "*"
// alone, and then nothing can be included.
func checkScoped(include, exclude string, in, ex []string) []FieldError {
	errs := append(checkAlone(include, in), checkAlone(exclude, ex)...)
	if slices.Contains(ex, everything) && len(in) > 0 {
		errs = append(errs, FieldError{include, "must be empty when " + exclude + " is '*'"})
	}
	return append(errs, checkBoth(include, exclude, in, ex)...)
}

func checkAlone(path string, entries []string) []FieldError {
	i := slices.Index(entries, everything)
	other := func(e string) bool { return e != everything }
	if i < 0 || !slices.ContainsFunc(entries, other) {
		return nil
	}
	return []FieldError{{elementPath(path, i), "'*' must be the only entry: remove it or the others"}}
}

func checkBoth(include, exclude string, in, ex []string) []FieldError {
	var errs []FieldError
	for i, e := range ex {
		if e != everything && slices.Contains(in, e) {
			errs = append(errs, FieldError{elementPath(exclude, i), e + " is also in " + include + ": remove one of them"})
		}
	}
	return errs
}

// checkNamespaces checks the entries as names or globs of namespaces. The
// empty string is Velero's way to say "no namespace" and passes.
func checkNamespaces(path string, entries []string) []FieldError {
	var errs []FieldError
	for i, e := range entries {
		if e == "" || e == everything {
			continue
		}
		if err := glob.CheckFilter(e); err != nil {
			errs = append(errs, FieldError{elementPath(path, i), fmt.Sprintf("%q %v: correct the pattern", e, err)})
			continue
		}
		if bad := badNamespace(e); bad != "" {
			errs = append(errs, FieldError{elementPath(path, i), fmt.Sprintf("%q is not a namespace name or glob: %s", e, bad)})
		}
	}
	return errs
}

// badNamespace says why an entry, its glob signs read as letters, cannot match
// any namespace's name.
func badNamespace(entry string) string {
	plain := strings.NewReplacer("*", "x", "?", "x", "[", "x", "]", "x").Replace(entry)
	return strings.Join(validation.ValidateNamespaceName(plain, false), "; ")
}

// checkTypeNames refuses entries that cannot name a type. Whether the type
// exists is known only against a cluster, and then is a warning.
func checkTypeNames(path string, entries []string) []FieldError {
	var errs []FieldError
	for i, e := range entries {
		switch {
		case e == everything:
		case strings.TrimSpace(e) == "":
			errs = append(errs, FieldError{elementPath(path, i), "is empty: name a resource type such as deployments.apps, or remove it"})
		case strings.ContainsAny(e, " \t\n/,"):
			errs = append(errs, FieldError{elementPath(path, i), fmt.Sprintf("%q is not a resource type: write plural[.group] such as deployments.apps, one an entry", e)})
		case glob.IsFilter(e) && glob.CheckFilter(e) != nil:
			errs = append(errs, FieldError{elementPath(path, i), fmt.Sprintf("%q %v: correct the pattern", e, glob.CheckFilter(e))})
		}
	}
	return errs
}
