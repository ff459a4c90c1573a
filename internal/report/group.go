package report

import (
	"fmt"
	"slices"
	"strings"
)

// groupExamples is how many objects a reason names that stands for many. Fewer have a reason each.
const groupExamples = 5

// Group makes one reason of all that have the same cause outside of their objects, such as a
// right that is missing or a namespace that cannot be made. It says how many there are and
// names a few. The result depends only on the set of reasons; it is sorted.
func Group(reasons []Reason) []Reason {
	out := slices.Clone(reasons)
	Sort(out)
	groups := map[string][]Reason{}
	for _, r := range out {
		if key := groupKey(r); key != "" {
			groups[key] = append(groups[key], r)
		}
	}
	out = slices.DeleteFunc(out, func(r Reason) bool { return len(groups[groupKey(r)]) > groupExamples })
	for _, same := range groups {
		if len(same) > groupExamples {
			out = append(out, groupReason(same))
		}
	}
	Sort(out)
	return out
}

// groupReason stands for several reasons. It is placed on what they have in common.
func groupReason(same []Reason) Reason {
	out := same[0]
	out.Name = ""
	var examples []string
	for i, r := range same {
		if i < groupExamples {
			examples = append(examples, r.Object())
		}
		if r.Resource != out.Resource {
			out.Resource = ""
		}
		if r.Namespace != out.Namespace {
			out.Namespace = ""
		}
	}
	out.Message = fmt.Sprintf("%d times (%s, …): %s", len(same), strings.Join(examples, ", "), out.Message)
	return out
}

// groupKey is the same for reasons of one cause; "" for one that is about its object.
func groupKey(r Reason) string {
	switch r.Code {
	case ListFailed, ReadFailed, TypeGone, Forbidden, WebhookDenied, QuotaExceeded, TypeNotServed, NamespaceNotReady,
		NamespaceTerminating, ApplyFailed, UpdateFailed, StatusFailed, OwnerRefused, ObjectDamaged:
	default:
		return ""
	}
	if r.Resource == "" {
		return ""
	}
	cause := strings.ReplaceAll(r.Message, `"`+r.Name+`"`, "")
	if missing := missingRight(r.Message); missing != "" {
		cause = missing
	}
	return strings.Join([]string{string(r.Code), string(r.Severity), r.Next, cause}, "\n")
}

// missingRight is who may not do what, of an answer to a request that RBAC refuses.
func missingRight(answer string) string {
	_, rest, forbidden := strings.Cut(answer, `is forbidden: User "`)
	user, rest, denied := strings.Cut(rest, `" cannot `)
	verb, _, _ := strings.Cut(rest, " ")
	if !forbidden || !denied {
		return ""
	}
	return user + " cannot " + verb
}
