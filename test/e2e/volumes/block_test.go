//go:build stack

package volumes

import (
	"bytes"
	"crypto/rand"
	"os"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// blockBytes are the size of a block device's content in the tests.
const blockBytes = 1 << 20

// TestBlockVolumes: claims of block devices, one of them for several nodes at once (Multi-Attach),
// are backed up and restored by both paths: every byte is what it was, they are block devices
// again, and the one is for several nodes again.
func TestBlockVolumes(t *testing.T) {
	t.Parallel()
	l := shared
	class := "io2-" + l.ID
	l.kubectl(t, `{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"`+class+`"},"provisioner":"ebs.csi.aws.com",
"parameters":{"type":"io2","iops":"1000"},"volumeBindingMode":"Immediate"}`, "apply", "-f", "-")
	l.later(t, "delete", "storageclass", class)
	for path, locations := range paths() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			ns, copied := l.namespace(t, "block-"+path), "block-"+path+"-copied-"+l.ID
			l.cleanUp(t, copied)
			content := map[string][]byte{
				"device": l.blockClaim(t, ns, "device", stack.EBSClassNow, "ReadWriteOnce"),
				"shared": l.blockClaim(t, ns, "shared", class, "ReadWriteMany"),
			}
			l.backup(t, ns, "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: locations})
			for name := range content {
				if err := writeFile(l.file(t, ns, name), "written later"); err != nil {
					t.Fatal(err)
				}
			}
			res := l.restore(t, input(copied, ns, ns, map[string]string{ns: copied}))
			if res.Volumes != 2 {
				t.Errorf("%+v", res)
			}
			for name, want := range content {
				got, err := os.ReadFile(l.file(t, copied, name))
				pv := l.bound(t, copied, name)
				if err != nil || !bytes.Equal(got, want) || textAt(pv, "spec", "volumeMode") != "Block" || textAt(pv, "spec", "csi", "fsType") != "" {
					t.Errorf("%s: %d bytes, equal %t, %v; %v", name, len(got), bytes.Equal(got, want), err, pv["spec"])
				}
			}
			disk := l.disk(t, copied, "shared")
			if found, err := l.ec2.Volumes(t.Context(), []string{disk}); err != nil || !found[disk].MultiAttach || found[disk].Type != "io2" {
				t.Errorf("the volume for several nodes: %+v, %v", found, err)
			}
		})
	}
}

// blockClaim makes a claim of a block device that is bound at once, and fills it.
func (l *lab) blockClaim(t *testing.T, ns, name, class, access string) []byte {
	t.Helper()
	l.create(t, "pvc", ns, `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"`+name+`","namespace":"`+ns+`"},
"spec":{"storageClassName":"`+class+`","volumeMode":"Block","accessModes":["`+access+`"],"resources":{"requests":{"storage":"4Gi"}}}}`)
	content := make([]byte, blockBytes)
	_, _ = rand.Read(content) // never fails
	if err := writeFile(l.file(t, ns, name), string(content)); err != nil {
		t.Fatal(err)
	}
	return content
}
