//go:build stack

package volumes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestManyVolumes restores twenty volumes by each path; they come back in parallel.
func TestManyVolumes(t *testing.T) {
	t.Parallel()
	const n = 20
	l := shared
	ns := l.namespace(t, "many")
	var docs []string
	for i := range n {
		docs = append(docs, fmt.Sprintf(`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data-%02d","namespace":%q},
"spec":{"storageClassName":%q,"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}`, i, ns, stack.EBSClassNow))
	}
	l.kubectl(t, strings.Join(docs, "\n---\n"), "apply", "-f", "-")
	native, csi := l.forge(t, "many-native"), l.forge(t, "many-csi")
	for i := range n {
		claim := fmt.Sprintf("data-%02d", i)
		if err := writeFile(l.file(t, ns, claim), claim); err != nil {
			t.Fatal(err)
		}
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
			if res.Volumes != n || took > 30*time.Second {
				t.Errorf("%d volumes in %s", res.Volumes, took)
			}
			for i := range n {
				claim := fmt.Sprintf("data-%02d", i)
				if got := l.content(t, copied, claim); got != claim {
					t.Fatalf("%s holds %q", claim, got)
				}
			}
		})
	}
}
