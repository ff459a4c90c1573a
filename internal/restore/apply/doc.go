// Package apply brings the objects of a restore into the cluster: task by task, in batches
// that a retry resumes at. An object that an earlier attempt created is recognised and
// counted as created. It also waits for definitions (crds.go) and gives objects their
// owners back (relink.go, linking.go). A dry run goes the same way without a write.
package apply
