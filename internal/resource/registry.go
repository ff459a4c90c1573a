package resource

// kind is the care that one resource type needs. Every function may be nil.
type kind struct {
	// never says why objects of this type are not restored; "" means they are.
	never string
	// restore turns the stored object into the one to create, as far as this
	// type needs more than the generic rules. It still sees uid, managedFields,
	// ownerReferences and status; metadata.namespace is still the source's. A
	// rule strips also where it then skips: MergePatch runs it over live objects.
	restore func(c *Context, obj map[string]any, out *Outcome) error
	// retain puts into the object to be restored what a live one keeps under any policy.
	retain func(live, want map[string]any)
	// backup may rewrite the object before it is stored.
	backup func(obj map[string]any) (changed bool)
	// related names what else belongs into the backup with this object.
	related func(obj map[string]any) []Ref
	// needs says what else of the backup a restore of this object brings along.
	needs needs
	// liveWins keeps an existing object untouched whatever the policy is.
	liveWins bool
	// isWork says that an object stands for work that ends: once ended, it is not restored,
	// as its controller would begin anew.
	isWork bool
	// dropsStatus overrides a request to restore the status.
	dropsStatus bool
}

// Registry knows the types that need care, by "plural.group". It is immutable
// and safe for concurrent use. In which order types are restored is the
// concern of package plan; no rule depends on another object being there.
type Registry struct {
	kinds map[string]kind
}

// NewRegistry returns the registry of all rules.
func NewRegistry() *Registry {
	return &Registry{kinds: allKinds()}
}

// LiveWins says that an existing object of a type is left alone also under
// existingResourcePolicy update: it holds the state of a running process.
func (r *Registry) LiveWins(resource string) bool {
	return r.kinds[resource].liveWins
}
