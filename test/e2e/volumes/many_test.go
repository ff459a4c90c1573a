//go:build stack

package volumes

import (
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestManyVolumes restores twenty volumes by each path; they come back in parallel.
func TestManyVolumes(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "many")
	claims := l.manyClaims(t, ns, stack.EBSClassNow, 20)
	native, csi := l.forge(t, "many-native"), l.forge(t, "many-csi")
	for _, claim := range claims {
		native.native(ns, claim)
		csi.csi(ns, claim, stack.EBSSnapshotClass)
	}
	for name, f := range map[string]*forgery{"native": native, "csi": csi} {
		t.Run(name, func(t *testing.T) {
			f.t = t
			copied := "many-" + name + "-" + l.ID
			l.cleanUp(t, copied)
			res := l.restore(t, input(copied, f.write(true), ns, map[string]string{ns: copied}))
			took := res.Completed.Sub(res.Started).Round(100 * time.Millisecond)
			t.Logf("%d volumes in %s", res.Volumes, took)
			if res.Volumes != len(claims) || took > 30*time.Second {
				t.Errorf("%d volumes in %s", res.Volumes, took)
			}
			for _, claim := range claims {
				if got := l.content(t, copied, claim); got != claim {
					t.Fatalf("%s holds %q", claim, got)
				}
			}
		})
	}
}
