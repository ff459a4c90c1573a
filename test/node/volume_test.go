//go:build stack

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// disk is a Pod with a claim, which may be made from a snapshot.
const disk = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: <name>}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ebs-gp3
  resources: {requests: {storage: 1Gi}}
  <source>
---
apiVersion: v1
kind: Pod
metadata: {name: <name>}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsUser: 70, runAsGroup: 70, fsGroup: 70}
  containers:
  - name: writer
    image: docker.io/library/busybox:1.35
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: <name>}}]
`

func diskPod(name, source string) string {
	return strings.NewReplacer("<name>", name, "<source>", source).Replace(disk)
}

const snapshot = `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: taken}
spec:
  volumeSnapshotClassName: ebs
  source: {persistentVolumeClaimName: first}
`

// TestVolume shows that a Pod's bytes are those of a simulated EBS volume, attached
// to the node's instance, and that a claim made from a snapshot has those of then.
func TestVolume(t *testing.T) {
	t.Parallel()
	c := plain(t)
	ns := c.namespace(t, "volume")
	c.applyIn(t, ns, diskPod("first", ""))
	c.ready(t, ns, "first")
	c.write(t, ns, "first", "/data/file", "written by a pod")
	id := c.volumeID(t, ns, "first")
	if got := c.onVolume(t, id, "file"); got != "written by a pod" {
		t.Errorf("in the volume: %q", got)
	}
	if got := c.attachedTo(t, id); got != c.Stack.Node.InstanceID {
		t.Errorf("attached to %q, and the node is %q", got, c.Stack.Node.InstanceID)
	}

	c.applyIn(t, ns, snapshot)
	c.kubectl(t, "wait", "--namespace", ns, "--for=jsonpath={.status.readyToUse}=true", "volumesnapshot/taken", "--timeout=60s")
	c.exec(t, ns, "first", "sh", "-c", "echo later >/data/file")
	c.applyIn(t, ns, diskPod("second", "dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: taken}"))
	c.ready(t, ns, "second")
	if got := c.exec(t, ns, "second", "sh", "-c", "cat /data/file; echo ' and on' >>/data/file"); got != "written by a pod" {
		t.Errorf("in the copy: %q", got)
	}
	if got := c.exec(t, ns, "first", "cat", "/data/file"); got != "later" {
		t.Errorf("in the first: %q", got)
	}
	c.releases(t, ns, "first", id)
}

// releases shows that a volume is detached when its Pod has gone, and deleted with
// its claim.
func (c cluster) releases(t *testing.T, ns, name, id string) {
	t.Helper()
	c.kubectl(t, "delete", "pod", "--namespace", ns, name)
	within(t, patience, "volume detached", func() error {
		if at := c.attachedTo(t, id); at != "" {
			return errText("attached to " + at)
		}
		return nil
	})
	c.kubectl(t, "delete", "persistentvolumeclaim", "--namespace", ns, name)
	c.deleted(t, id)
}

// deleted waits until a volume is gone from the account.
func (c cluster) deleted(t *testing.T, id string) {
	t.Helper()
	within(t, patience, "volume deleted", func() error {
		state, err := c.Stack.EBS.State(t.Context())
		for _, v := range state.Volumes {
			if v.ID == id {
				return errText(id + " is there")
			}
		}
		return err
	})
}

type errText string

func (e errText) Error() string { return string(e) }

// volumeID is the EBS volume that a claim is bound to.
func (c cluster) volumeID(t *testing.T, ns, claim string) string {
	t.Helper()
	pv, _ := harness.At(c.Object(t, "persistentvolumeclaims", ns, claim), "spec", "volumeName").(string)
	id, _ := harness.At(c.Object(t, "persistentvolumes", "", pv), "spec", "csi", "volumeHandle").(string)
	return id
}

// onVolume reads a file of a volume, on the machine.
func (c cluster) onVolume(t *testing.T, id, file string) string {
	t.Helper()
	dir, err := c.Stack.EBS.VolumeDir(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// attachedTo is the instance that a volume is attached to, as EC2 sees it.
func (c cluster) attachedTo(t *testing.T, id string) string {
	t.Helper()
	state, err := c.Stack.EBS.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range state.Volumes {
		for instance := range v.Attached {
			if v.ID == id {
				return instance
			}
		}
	}
	return ""
}
