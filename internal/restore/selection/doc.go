// Package selection plans a restore: which objects of the backup it includes, what those
// need, and the order in which they are applied. It reads the index of the archive, and
// bodies only where labels or dependencies ask for them; every member that the plan
// touches is checked against the manifest before anything is written to the cluster.
package selection
