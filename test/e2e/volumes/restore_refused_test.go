//go:build stack

package volumes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

const (
	zoneLabel   = "topology.kubernetes.io/zone"
	regionLabel = "topology.kubernetes.io/region"
)

// relabel gives every node a label until the test is over; "" takes it away.
func (l *lab) relabel(t *testing.T, key, value string) {
	t.Helper()
	set := func(node, value string) {
		text := key + "=" + value
		if value == "" {
			text = key + "-"
		}
		l.kubectl(t, "", "label", "--overwrite", node, text)
	}
	for _, node := range strings.Fields(l.kubectl(t, "", "get", "nodes", "-o", "name")) {
		was := textAt(l.Object(t, "node", "", strings.TrimPrefix(node, "node/")), "metadata", "labels", key)
		l.later(t, "label", "--overwrite", node, key+"="+was)
		set(node, value)
	}
}

// TestZonesOfNodes: a volume has to go where a node can mount it; where that is nowhere,
// none is made.
func TestZonesOfNodes(t *testing.T) {
	l := shared
	ns := l.namespace(t, "nozone")
	l.claim(t, ns, "data", "x")
	for name, tc := range map[string]struct {
		zone    string
		phrases []string
	}{
		"none":     {"", []string{"no zone to go to", zoneLabel, "add nodes"}},
		"far away": {"eu-west-1a", []string{"no zone to go to", "eu-west-1a", "region " + l.ebs.Region, "add nodes in one of those"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := l.forge(t, "nozone-"+strings.ReplaceAll(name, " ", "-"))
			f.native(ns, "data")
			backup := f.write(true)
			l.relabel(t, zoneLabel, tc.zone)
			l.refuses(t, ns, backup, "InvalidInput", tc.phrases...)
		})
	}
}

// TestAmbiguousClassMapping: two ConfigMaps that map storage classes are one too many.
func TestAmbiguousClassMapping(t *testing.T) {
	t.Parallel()
	l := shared.beside(t, "twomaps")
	maps := l.configured(t)
	ns := l.namespace(t, "twomaps")
	l.claim(t, ns, "data", "x")
	f := l.forge(t, "twomaps")
	f.csi(ns, "data", stack.EBSSnapshotClass)
	for _, name := range []string{"one-" + l.ID, "two-" + l.ID} {
		l.kubectl(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":%q,
"labels":{"velero.io/plugin-config":"","velero.io/change-storage-class":"RestoreItemAction"}},"data":{"a":"b"}}`, name, maps), "apply", "-f", "-")
	}
	l.refuses(t, ns, f.write(true), "InvalidInput", "ambiguous", "velero.io/change-storage-class", "one-"+l.ID, "two-"+l.ID, "keep one")
}

// TestSnapshotsAreNotServed: a cluster without the definitions of VolumeSnapshots.
func TestSnapshotsAreNotServed(t *testing.T) {
	l := shared
	const definition = "volumesnapshots.snapshot.storage.k8s.io"
	ns := l.namespace(t, "unserved")
	l.claim(t, ns, "data", "x")
	f := l.forge(t, "unserved")
	f.csi(ns, "data", stack.EBSSnapshotClass)
	backup := f.write(true)
	serve := func(yes bool) {
		versions, _ := harness.At(l.Object(t, "crd", "", definition), "spec", "versions").([]any)
		var ops []string
		for i, v := range versions {
			if textAt(v, "name") == "v1" {
				ops = append(ops, fmt.Sprintf(`{"op":"replace","path":"/spec/versions/%d/served","value":%t}`, i, yes))
			}
		}
		if _, err := l.Kubectl(cleanup(t), "", "patch", "crd", definition, "--type=json", "-p", "["+strings.Join(ops, ",")+"]"); err != nil {
			t.Error(err)
		}
		eventually(t, "the API server serves", func() error {
			out, err := l.Kubectl(cleanup(t), "", "api-resources", "--api-group=snapshot.storage.k8s.io", "-o", "name")
			if err == nil && strings.Contains(out, definition) != yes {
				err = fmt.Errorf("served: %q", out)
			}
			return err
		})
	}
	serve(false)
	func() {
		defer serve(true)
		l.refuses(t, ns, backup, "InvalidInput", "does not serve "+definition, "install the CSI snapshot controller", "--restore-volumes=false")
	}()
}

// TestDriverIsAsked: no location is of the nodes' region, so that EC2 is not asked: the
// driver says whether it finds a snapshot, before anything that stays is made. How long it is
// asked is a matter of TestProbe in internal/volume/csi.
func TestDriverIsAsked(t *testing.T) {
	l := shared
	ns := l.namespace(t, "asked")
	l.claim(t, ns, "data", "then")
	l.claim(t, ns, "more", "now")
	l.relabel(t, regionLabel, "eu-west-1")
	forge := func(name string) *forgery {
		f := l.forge(t, name)
		f.csi(ns, "data", stack.EBSSnapshotClass)
		f.csi(ns, "more", stack.EBSSnapshotClass)
		return f
	}
	f := forge("asked-missing")
	f.rename(0, missing)
	l.refuses(t, ns, f.write(true), "NotFound", ns+"/data", "ebs.csi.aws.com does not find snapshot "+missing, "restore another backup")
	copied := "asked-copied-" + l.ID
	l.cleanUp(t, copied)
	res := l.restore(t, input("asked-"+l.ID, forge("asked").write(true), ns, map[string]string{ns: copied}))
	if got := l.content(t, copied, "data") + l.content(t, copied, "more"); got != "thennow" || res.Warnings > 0 {
		t.Errorf("read %q, %+v", got, res)
	}
}
