package report

import (
	"cmp"
	"slices"
	"strings"
)

// Severity says whether a Reason keeps a run from being Completed.
type Severity string

// A Warning leaves the phase alone; an Error makes it PartiallyFailed.
// The values are persisted in histories and in the bucket.
const (
	Warning Severity = "warning"
	Error   Severity = "error"
)

// ReasonsInResult is how many reasons travel through Temporal, as text; all of
// them stand in the results file.
const ReasonsInResult = 5

// Reason is one fact that the owner of a backup or restore should know.
//
// Resource is plural[.group]. A reason about a namespaced object has
// Resource, Namespace and Name; one about a cluster-scoped object leaves
// Namespace empty; one about the run itself leaves all three empty.
// Message never carries object content, so it is safe to log and to store.
type Reason struct {
	Code      Code     `json:"code"`
	Severity  Severity `json:"severity"`
	Resource  string   `json:"resource,omitempty"`
	Namespace string   `json:"namespace,omitempty"`
	Name      string   `json:"name,omitempty"`
	Message   string   `json:"message"`
	Next      string   `json:"next,omitempty"`
}

// New returns a Reason of the code with the code's usual severity and next
// step, or the step that the server's answer in the message suggests. The caller adds the object by At and may override the rest.
func New(code Code, message string) Reason {
	d := code.defaults()
	return Reason{Code: code, Severity: d.severity, Message: message, Next: code.nextFor(message, d.next)}
}

// At returns the reason placed on an object; empty parts mean "not about one".
func (r Reason) At(resource, namespace, name string) Reason {
	if r.Code == ExistsDiffers && r.Next == r.Code.defaults().next && resource != "" && namespace == "" {
		r.Next = nextForShared
	}
	r.Resource, r.Namespace, r.Name = resource, namespace, name
	return r
}

// As returns the reason with another severity, for callers to whom the same
// fact weighs differently than usual.
func (r Reason) As(s Severity) Reason {
	r.Severity = s
	return r
}

// Object names what the reason is about: "secrets bookstore/db",
// "clusterroles admin", "namespace bookstore", or "" for the run itself.
func (r Reason) Object() string {
	name := r.Name
	switch {
	case r.Namespace != "" && name != "":
		name = r.Namespace + "/" + name
	case r.Namespace != "" && r.Resource != "":
		name = "in namespace " + r.Namespace
	case r.Namespace != "":
		name = "namespace " + r.Namespace
	}
	return strings.TrimSpace(r.Resource + " " + name)
}

// String is the line a person reads: code, object, message and next step.
func (r Reason) String() string {
	var b strings.Builder
	b.WriteString("[" + string(r.Code) + "]")
	if o := r.Object(); o != "" {
		b.WriteString(" " + o + ":")
	}
	b.WriteString(" " + strings.TrimRight(r.Message, ". \n"))
	if r.Next != "" {
		b.WriteString(". Next: " + r.Next)
	}
	return b.String()
}

// Sort orders reasons for people and for stable files: errors first, then by
// namespace, resource, name, code and message. Equal reasons stay adjacent.
func Sort(reasons []Reason) {
	slices.SortStableFunc(reasons, compareReasons)
}

func compareReasons(a, b Reason) int {
	return cmp.Or(
		cmp.Compare(severityRank(a.Severity), severityRank(b.Severity)),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Resource, b.Resource),
		cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Code, b.Code),
		cmp.Compare(a.Message, b.Message),
		cmp.Compare(a.Next, b.Next),
	)
}

// severityRank treats every unknown severity as an error: a reason that a newer
// version wrote must not look harmless.
func severityRank(s Severity) int {
	if s == Warning {
		return 1
	}
	return 0
}

// IsError says whether the reason keeps a run from being Completed. A
// severity this version does not know counts as an error.
func (r Reason) IsError() bool { return r.Severity != Warning }
