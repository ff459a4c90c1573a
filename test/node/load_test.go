//go:build stack

package node

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/database"
)

const (
	loadSnapshot = `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: loaded}
spec:
  volumeSnapshotClassName: ebs
  source: {persistentVolumeClaimName: data-postgres-0}
`
	loadedClaim = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data-copy-0}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ebs-gp3
  resources: {requests: {storage: 1Gi}}
  dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: loaded}
`
)

// TestSnapshotUnderLoad shows what the other tests rest on: a snapshot of the stack
// is one moment, and a database that was writing all the time recovers from it.
func TestSnapshotUnderLoad(t *testing.T) {
	t.Parallel()
	c := plain(t)
	ns := c.namespace(t, "load")
	original := c.startPostgres(t, ns)
	c.applyIn(t, ns, loadSnapshot)
	c.kubectl(t, "wait", "--namespace", ns, "--for=jsonpath={.status.readyToUse}=true", "volumesnapshot/loaded", "--timeout=60s")
	c.applyIn(t, ns, loadedClaim)
	c.applyIn(t, ns, database.Manifest("copy", counting))
	restored := postgres{cluster: c, namespace: ns, pod: "copy-0"}
	restored.awaitReady(t)
	before := restored.content(t)
	if len(before.load) < 100 {
		t.Errorf("only %d rows of the load", len(before.load))
	}
	before.isSnapshotOf(t, original.content(t))
	restored.works(t)
}
