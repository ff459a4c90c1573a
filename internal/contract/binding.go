package contract

// Binding is what a run belongs to. The first activity of a run finds it out, every later
// one is told, and runs only where both are the same. Runs that an older worker began have
// none; nothing is asked of those.
type Binding struct {
	// Cluster is the UID of the cluster's namespace kube-system.
	Cluster string `json:"cluster,omitempty"`
	// Place is a digest of the endpoint, bucket and prefix where the run's files lie.
	Place string `json:"place,omitempty"`
}
