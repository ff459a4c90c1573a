package volume

import "context"

// Technology is one way to keep the data of volumes: its three capabilities, and what
// those who use them have to know of it beforehand.
type Technology struct {
	Method Method
	// Snapshotter makes the driver of a backup that has volumes of the method.
	Snapshotter func(ctx context.Context, b *Backup) (Snapshotter, error)
	// Restorer makes the driver of a restore that has volumes of the method.
	Restorer func(run RestoreRun) Restorer
	Deleter  Deleter
	// Inspector looks its snapshots up; nil where nobody can.
	Inspector Inspector
	// HasObjects says that objects of the cluster stand for its snapshots, which are
	// released once the backup is committed.
	HasObjects bool
	// MakesDisks says that a restore's disks are made by the driver, so that their
	// PersistentVolumes are restored; otherwise a storage class provisions the claims.
	MakesDisks bool
	// Needs is the cluster-scoped type ("plural.group") that the data comes back through:
	// where the filters of a restore leave it out, so do they leave the data.
	Needs string
}

// Technologies are all there are, in the order in which they reserve capacity and check.
type Technologies []Technology

// Find returns the technology of a method.
func (all Technologies) Find(m Method) (Technology, bool) {
	for _, t := range all {
		if t.Method == m {
			return t, true
		}
	}
	return Technology{}, false
}

// Inspectors are who look snapshots up, by method.
func (all Technologies) Inspectors() map[Method]Inspector {
	out := map[Method]Inspector{}
	for _, t := range all {
		if t.Inspector != nil {
			out[t.Method] = t.Inspector
		}
	}
	return out
}

// Deleters are the drivers that delete snapshots, by method.
func (all Technologies) Deleters() map[Method]Deleter {
	out := map[Method]Deleter{}
	for _, t := range all {
		out[t.Method] = t.Deleter
	}
	return out
}
