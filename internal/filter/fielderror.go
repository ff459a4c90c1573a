package filter

import (
	"errors"
	"fmt"
	"strings"
)

// FieldError names a field of a spec that cannot be used as it is and says
// what to do about it. (apimachinery's field.Error puts a class and the value in front of
// each message: "Invalid value: …" says less than a remedy, and a value may be secret.)
type FieldError struct {
	// Path is the field's path in the manifest, as in spec.includedNamespaces[1].
	Path string `json:"path"`
	// Message is the problem and its remedy.
	Message string `json:"message"`
}

// Error is "path: message".
func (e FieldError) Error() string { return e.Path + ": " + e.Message }

// FieldErrors are all the problems of one spec. A caller finds them with
// errors.As and must not retry: the spec has to change.
type FieldErrors []FieldError

// Error joins all problems; the first is as good as the last.
func (e FieldErrors) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.Error()
	}
	return "invalid spec: " + strings.Join(lines, "; ")
}

// orNil keeps an empty list from becoming a non-nil error.
func (e FieldErrors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// How many problems of one document are told, and how many bytes of each text: enough to
// repair it, and little enough for the message of a failed workflow.
const (
	MaxProblems     = 20
	MaxProblemBytes = 600
)

// Problems collects what is wrong with a document that a user wrote. What goes beyond
// its bounds is dropped.
type Problems struct{ errs FieldErrors }

// Add notes what is wrong with the field at a path.
func (p *Problems) Add(path, format string, args ...any) {
	if len(p.errs) < MaxProblems {
		p.errs = append(p.errs, FieldError{Path: ShortenText(path), Message: ShortenText(fmt.Sprintf(format, args...))})
	}
}

// AddAll notes what a check of fields has found; nil is nothing.
func (p *Problems) AddAll(found error) {
	var all FieldErrors
	if !errors.As(found, &all) {
		if found != nil {
			p.Add("spec", "%v", found)
		}
		return
	}
	for _, e := range all {
		p.Add(e.Path, "%s", e.Message)
	}
}

// Err is a FieldErrors, or nil if nothing is wrong.
func (p *Problems) Err() error { return p.errs.orNil() }

// ShortenText cuts a text that may quote what a user wrote to MaxProblemBytes.
func ShortenText(text string) string {
	if len(text) <= MaxProblemBytes {
		return text
	}
	return strings.ToValidUTF8(text[:MaxProblemBytes], "") + "…"
}
