package isolation

// Outcome is what becomes of an object.
type Outcome string

// What can become of an object.
const (
	Create  Outcome = "create"
	DryRun  Outcome = "dryRun"  // the API server is asked whether it would take it
	LeftOut Outcome = "leftOut" // the API server is not asked
)

// Change is a field that was changed so that the copy reaches nothing outside. Neither value
// is ever one of a Secret; both are cut at 200 bytes.
type Change struct {
	Rule   string `json:"rule"`
	Field  string `json:"field"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"` // empty if the field was removed
}

// Decision is what becomes of an object, and why.
type Decision struct {
	Outcome Outcome `json:"outcome"`
	// Rule and Reason say why it is not created. Both are empty for one that is.
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Changes are the fields that were changed.
	Changes []Change `json:"changes,omitempty"`
	// EmptyVolume says that a claim, or a pod, gets an empty volume in the place of data that is
	// not the drill's: no more than L4 can be proven of it.
	EmptyVolume bool `json:"emptyVolume,omitempty"`
}

// Rules decide about the objects of one drill.
type Rules struct {
	// Namespaces are those of the copy.
	Namespaces []string
	// AllowedKinds are the types of custom resources that may be created, as plural.group.
	AllowedKinds []string
	// Owned says that a cluster-scoped object ("plural.group", name) was made by this drill, or
	// is to be made by it under this name. nil: none is.
	Owned func(resource, name string) bool
	// PriorityClass is what pods of the copy get, see PriorityClassName; empty takes theirs away.
	PriorityClass string
}

// Apply decides about an object and changes it. It is idempotent: applied to its result it
// changes nothing more.
func (r *Rules) Apply(resource string, obj map[string]any) Decision {
	panic("not written yet")
}
