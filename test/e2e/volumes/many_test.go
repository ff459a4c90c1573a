//go:build stack

package volumes

import (
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestManyVolumes restores twenty volumes by each path; they come back in parallel: in less than
// half of the time that as many take one after another.
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
	oneNative, oneCSI := l.forge(t, "one-native"), l.forge(t, "one-csi")
	oneNative.native(ns, claims[0])
	oneCSI.csi(ns, claims[0], stack.EBSSnapshotClass)
	for name, f := range map[string][2]*forgery{"native": {oneNative, native}, "csi": {oneCSI, csi}} {
		t.Run(name, func(t *testing.T) {
			one := l.restoreMany(t, f[0], ns, claims[:1])
			all := l.restoreMany(t, f[1], ns, claims)
			t.Logf("%d volumes in %s, one in %s", len(claims), all, one)
			if all > time.Duration(len(claims))*one/2 {
				t.Errorf("%d volumes in %s, one in %s", len(claims), all, one)
			}
		})
	}
}

// restoreMany restores claims beside themselves and tells how long it took.
func (l *lab) restoreMany(t *testing.T, f *forgery, ns string, claims []string) time.Duration {
	t.Helper()
	f.t = t
	copied := f.name + "-copied"
	l.cleanUp(t, copied)
	res := l.restore(t, input(copied, f.write(true), ns, map[string]string{ns: copied}))
	if res.Volumes != len(claims) {
		t.Errorf("%+v", res)
	}
	for _, claim := range claims {
		if got := l.content(t, copied, claim); got != claim {
			t.Fatalf("%s holds %q", claim, got)
		}
	}
	return res.Completed.Sub(res.Started).Round(100 * time.Millisecond)
}
