//go:build stack

package volumes

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// eitherDriver is how many volumes are restored each way, of twenty in make soak.
const eitherDriver = 3

// TestEitherDriver restores volumes of each of EBS's drivers into a class of the other,
// by both paths: every file is what it was, and the volumes are the other driver's.
func TestEitherDriver(t *testing.T) {
	t.Parallel()
	now, auto := stack.EBSClassNow, stack.AutoMode(stack.EBSClassNow)
	for name, way := range map[string]struct{ from, to, snapshots, driver string }{
		"to-auto":   {now, auto, stack.EBSSnapshotClass, volume.DriverEBSAuto},
		"from-auto": {auto, now, stack.AutoMode(stack.EBSSnapshotClass), volume.DriverEBS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := shared
			ns := l.namespace(t, name)
			claims := l.manyClaims(t, ns, way.from, sample(eitherDriver, 20))
			native, csi := l.forge(t, name+"-native"), l.forge(t, name+"-csi")
			for _, claim := range claims {
				native.native(ns, claim)
				csi.csi(ns, claim, way.snapshots)
			}
			for path, f := range map[string]*forgery{"native": native, "csi": csi} {
				copied := name + "-" + path + "-" + l.ID
				l.cleanUp(t, copied)
				in := input(copied, f.write(true), ns, map[string]string{ns: copied})
				in.StorageClasses = map[string]string{way.from: way.to}
				if res := l.restore(t, in); res.Volumes != len(claims) {
					t.Errorf("%s: %d volumes", path, res.Volumes)
				}
				for _, claim := range claims {
					driver := textAt(l.bound(t, copied, claim), "spec", "csi", "driver")
					if got := l.content(t, copied, claim); got != claim || driver != way.driver {
						t.Fatalf("%s: %s holds %q and is of %s", path, claim, got, driver)
					}
				}
			}
		})
	}
}

// sample is n, or in make soak all.
func sample(n, all int) int {
	if os.Getenv(soakVariable) != "" {
		return all
	}
	return n
}

// manyClaims makes claims of a class, each with its own name in its volume.
func (l *lab) manyClaims(t *testing.T, ns, class string, n int) []string {
	t.Helper()
	var names, docs []string
	for i := range n {
		name := fmt.Sprintf("data-%02d", i)
		names = append(names, name)
		docs = append(docs, fmt.Sprintf(`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":%q,"namespace":%q},
"spec":{"storageClassName":%q,"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}`, name, ns, class))
	}
	l.kubectl(t, strings.Join(docs, "\n---\n"), "apply", "-f", "-")
	for _, name := range names {
		if err := writeFile(l.file(t, ns, name), name); err != nil {
			t.Fatal(err)
		}
	}
	return names
}
