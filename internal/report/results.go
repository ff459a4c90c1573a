package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Limits of the results file. Velero's `describe` prints every line, and the
// file is read whole into memory by everybody, so it must stay small however
// many objects failed for the same reason.
const (
	// MaxLines is the largest number of lines in the errors and, separately,
	// in the warnings.
	MaxLines = 5000
	// MaxLineBytes cuts one line; an API server's refusal may quote a whole
	// object schema.
	MaxLineBytes = 1024
)

// Result groups lines as Velero's results file does.
type Result struct {
	Velero     []string            `json:"velero,omitempty"`
	Cluster    []string            `json:"cluster,omitempty"`
	Namespaces map[string][]string `json:"namespaces,omitempty"`
}

// Results is the document in <backup>-results.gz and restore-<r>-results.gz.
type Results struct {
	Warnings Result `json:"warnings"`
	Errors   Result `json:"errors"`
}

// FromReasons renders reasons as Velero's results. The outcome depends only
// on the set of reasons, not on their order; at most MaxLines errors and
// MaxLines warnings are kept, and each kept list says how many were left out
// of which code.
func FromReasons(reasons []Reason) Results {
	sorted := slices.Clone(reasons)
	Sort(sorted)
	cut := 0
	for cut < len(sorted) && sorted[cut].IsError() {
		cut++
	}
	return Results{Errors: toResult(sorted[:cut]), Warnings: toResult(sorted[cut:])}
}

func toResult(reasons []Reason) Result {
	var out Result
	kept := min(len(reasons), MaxLines)
	for _, r := range reasons[:kept] {
		out.addReason(r)
	}
	out.Velero = append(out.Velero, leftOut(reasons[kept:])...)
	return out
}

func (r *Result) addReason(reason Reason) {
	line := cutLine(reason.String())
	switch {
	case reason.Namespace != "":
		if r.Namespaces == nil {
			r.Namespaces = map[string][]string{}
		}
		r.Namespaces[reason.Namespace] = append(r.Namespaces[reason.Namespace], line)
	case reason.Resource != "":
		r.Cluster = append(r.Cluster, line)
	default:
		r.Velero = append(r.Velero, line)
	}
}

// Count is the number of lines, as Velero's describe counts them.
func (r Result) Count() int {
	n := len(r.Velero) + len(r.Cluster)
	for _, lines := range r.Namespaces {
		n += len(lines)
	}
	return n
}

// leftOut says, code by code, what the limit cost.
func leftOut(reasons []Reason) []string {
	counts := map[Code]int{}
	for _, r := range reasons {
		counts[r.Code]++
	}
	var lines []string
	for code, n := range counts {
		lines = append(lines, "["+string(TooMany)+"] "+strconv.Itoa(n)+" more of "+string(code)+". Next: "+TooMany.defaults().next)
	}
	slices.SortFunc(lines, cmp.Compare[string])
	return lines
}

// CutText is text, or its beginning where it is longer than so many bytes.
func CutText(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "..."
}

// cutLine keeps a line within MaxLineBytes, on one line, and valid UTF-8.
func cutLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	if len(s) > MaxLineBytes {
		s = s[:MaxLineBytes-len("…")] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
