//go:build stack

package ebstest

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestRestarts: the account survives its simulator, and the driver comes back.
func TestRestarts(t *testing.T) {
	c, ctx := connect(t, shared), t.Context()
	c.claim("lasting", stack.EBSClassNow, "")
	id := c.bound("lasting")
	c.write(id, "rows", "kept")
	c.snapshot("lasting", "lasting")
	before := c.ready("lasting")

	for _, name := range []string{"ebssim", "ebscsi", "csi-snapshotter", "snapshot-controller"} {
		if err := c.Restart(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.read(id, "rows"); got != "kept" {
		t.Errorf("after the restart the volume has %q", got)
	}
	if disk, ok := c.disk(before); !ok || disk.State != "completed" {
		t.Errorf("after the restart the snapshot is %+v", disk)
	}
	c.snapshot("later", "lasting")
	if c.ready("later") == before {
		t.Error("the new snapshot is the old one")
	}
	for _, name := range []string{"lasting", "later"} {
		c.delete(snapshots, name)
	}
	c.delete(claims, "lasting")
	c.gone(id)
}
