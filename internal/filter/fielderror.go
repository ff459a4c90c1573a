package filter

import "strings"

// FieldError names a field of a spec that cannot be used as it is and says
// what to do about it.
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
