//go:build stack

package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
)

// fileSystems is a Pod with one volume of XFS and one of ext4, in classes of the stack's own kind:
// their file systems are real. While there is a file /go/now, it writes to both; that is on neither,
// so that a restored Pod does not write.
const fileSystems = `
apiVersion: v1
kind: Pod
metadata: {name: files}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsUser: 70, runAsGroup: 70, fsGroup: 70}
  containers:
  - name: writer
    image: docker.io/library/busybox:1.35
    command: [sh, -c, "n=0; while :; do until [ -e /go/now ]; do sleep 0.1; done; n=$((n+1)); for at in /xfs /ext4; do echo $n >>$at/log; sync $at/log; done; done"]
    volumeMounts: [{name: xfs, mountPath: /xfs}, {name: ext4, mountPath: /ext4}, {name: go, mountPath: /go}]
  volumes: [{name: xfs, persistentVolumeClaim: {claimName: xfs}}, {name: ext4, persistentVolumeClaim: {claimName: ext4}}, {name: go, emptyDir: {}}]
`

// fileSystem is a class and a claim of it.
const fileSystem = `
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: <ns>-<type>}
provisioner: ebs.csi.aws.com
parameters: {type: gp3, csi.storage.k8s.io/fstype: <type>, stack/image: "true"}
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: <type>, labels: {velero.io/volume-group: files}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: <ns>-<type>
  resources: {requests: {storage: 1Gi}}
`

// startFileSystems is an application with a file of 24 MiB on XFS and on ext4, on a cluster whose
// Lifeboat runs drills. It returns the digests of its files.
func startFileSystems(t *testing.T) (b *bookstore, sums string) {
	t.Helper()
	b = drillCluster(t, "filesystems")
	b.volumes = map[string]string{}
	for _, fsType := range []string{"xfs", "ext4"} {
		b.applyIn(t, b.namespace, strings.NewReplacer("<ns>", b.namespace, "<type>", fsType).Replace(fileSystem))
		b.forgetClass(t, b.namespace+"-"+fsType)
	}
	b.applyIn(t, b.namespace, fileSystems)
	b.ready(t, b.namespace, "files")
	for _, claim := range []string{"xfs", "ext4"} {
		b.volumes[claim] = b.volumeID(t, b.namespace, claim)
		b.inFiles(t, b.namespace, "dd if=/dev/urandom of=/"+claim+"/data bs=1M count=24 conv=fsync")
	}
	return b, b.sums(t, b.namespace)
}

// forgetClass deletes a storage class when the test is over.
func (c cluster) forgetClass(t *testing.T, name string) {
	t.Cleanup(func() {
		if err := c.Delete(context.Background(), "storageclasses", "", name); err != nil {
			t.Log(err)
		}
	})
}

// inFiles runs a script in the application, or a copy of it.
func (b *bookstore) inFiles(t *testing.T, namespace, script string) string {
	t.Helper()
	return b.exec(t, namespace, "files", "sh", "-c", script)
}

func (b *bookstore) sums(t *testing.T, namespace string) string {
	t.Helper()
	return b.inFiles(t, namespace, "sha256sum /xfs/data /ext4/data")
}

// TestFileSystems proves volumes with real file systems beside their originals, on the one node
// there is: a copy of an XFS volume is mounted there for its nouuid only, which a drill gives it
// by the native path, and the storage class by the other.
func TestFileSystems(t *testing.T) {
	t.Parallel()
	b, sums := startFileSystems(t)
	b.inFiles(t, b.namespace, "touch /go/now")
	for path, flags := range paths() { // while both are written to
		b.backup(t, path, flags)
	}
	b.inFiles(t, b.namespace, "rm /go/now")
	before := b.disks(t)
	t.Run("native", func(t *testing.T) {
		p := b.drill(t, 0, "native", b.withoutAssertions("native", "1m")...)
		checkRead(t, p)
		checkNouuid(t, p, 1)
	})
	t.Run("csi, of a class without nouuid", func(t *testing.T) {
		p := b.drill(t, 3, "csi", b.withoutAssertions("csi", "20s")...)
		checkNouuid(t, p, 0)
		checkFault(t, p, evidence.L2, evidence.LevelMissed, "claim "+p.Target.Namespaces[0].To+"/xfs: the pod that is to read it has not started: FailedMount: ")
		checkFault(t, p, evidence.L2, evidence.LevelMissed, "wrong fs type, bad option, bad superblock")
		if l3 := p.Claim.Levels[3]; l3.Checked != 2 || l3.Good != 1 {
			t.Errorf("ext4 can be read, XFS cannot: %+v", l3)
		}
	})
	b.kubectl(t, "patch", "storageclass", b.namespace+"-xfs", "--patch", `{"mountOptions":["nouuid"]}`)
	t.Run("csi, of a class with nouuid", func(t *testing.T) {
		checkRead(t, b.drill(t, 0, "csi", b.withoutAssertions("csi", "1m")...))
	})
	b.checkGone(t, before)
	for path := range paths() {
		t.Run(path+" in its place", func(t *testing.T) { b.replaceFiles(t, path, sums) })
	}
}

// checkRead wants a drill to have read both file systems.
func checkRead(t *testing.T, p evidence.Predicate) {
	t.Helper()
	if p.Claim.Level != evidence.L4 || p.Claim.Verdict != evidence.Passed {
		t.Errorf("claim %+v", p.Claim)
	}
	if l3 := p.Claim.Levels[3]; l3.Checked != 2 || l3.Good != 2 {
		t.Errorf("L3: want the volumes with XFS and with ext4: %+v", l3)
	}
	if rto := p.Measured.RTO; rto == nil || rto.ReadThrough == 0 {
		t.Errorf("RTO %+v: want both volumes to be read through", rto)
	}
}

// checkNouuid wants as many volumes of the copy to have been given nouuid.
func checkNouuid(t *testing.T, p evidence.Predicate, want int) {
	t.Helper()
	given := slices.DeleteFunc(slices.Clone(p.Neutralised), func(n evidence.Neutralised) bool { return n.Rule != isolation.RuleXFS })
	if len(given) != want {
		t.Errorf("nouuid: want it given to %d: %+v", want, given)
	}
	for _, n := range given {
		if n.Resource != "persistentvolumes" || n.Field != "spec.mountOptions" || n.After != `["nouuid"]` {
			t.Errorf("nouuid: %+v", n)
		}
	}
}

// replaceFiles loses the application with its volumes and restores it.
func (b *bookstore) replaceFiles(t *testing.T, backup, sums string) {
	t.Helper()
	lost := []string{b.volumeID(t, b.namespace, "xfs"), b.volumeID(t, b.namespace, "ext4")}
	b.kubectl(t, "delete", "namespace", b.namespace, "--timeout=120s")
	for _, id := range lost {
		b.deleted(t, id)
		checkDetached(t, id)
	}
	out, err := b.Run(t.Context(), "restore", "create", "again-"+backup, "--from-backup", backup, "--wait")
	if err != nil || !strings.Contains(out, " Completed") {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	b.ready(t, b.namespace, "files")
	if got := b.sums(t, b.namespace); got != sums {
		t.Errorf("files: %s, want %s", got, sums)
	}
	xfs, ext4 := b.written(t, "xfs"), b.written(t, "ext4")
	if isOneMoment := xfs == ext4 || xfs == ext4+1; backup == "native" && !isOneMoment {
		t.Errorf("%d lines are on XFS and %d on ext4, which were written in turn: not one moment", xfs, ext4)
	}
}

// written is the last of the numbers that were written to a volume during the backup. Each is there,
// and the file system is of its kind.
func (b *bookstore) written(t *testing.T, fsType string) int {
	t.Helper()
	got := strings.Fields(b.inFiles(t, b.namespace, strings.ReplaceAll("grep -c . /<>/log; tail -n 1 /<>/log; grep -c ' /<> <> ' /proc/mounts", "<>", fsType)))
	if len(got) != 3 || got[0] != got[1] || got[2] != "1" {
		t.Fatalf("on %s: count of lines, last line, mounts: %q", fsType, got)
	}
	n, err := strconv.Atoi(got[1])
	if err != nil || n == 0 {
		t.Errorf("on %s: %q lines: %v", fsType, got, err)
	}
	return n
}

// checkDetached wants no loop device to be left on a volume.
func checkDetached(t *testing.T, volume string) {
	t.Helper()
	within(t, patience, "loop device detached", func() error {
		devices, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
		for _, device := range devices {
			if file, _ := os.ReadFile(device); strings.Contains(string(file), volume) {
				err = fmt.Errorf("%s has %s", device, file)
			}
		}
		return err
	})
}
