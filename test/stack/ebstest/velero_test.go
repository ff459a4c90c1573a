//go:build stack

package ebstest

import (
	"context"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestVelero: a real Velero with its AWS plugin backs volumes of the stack up and
// restores them, natively and over CSI. That is what interop rests on.
func TestVelero(t *testing.T) {
	for _, path := range []struct {
		name   string
		native bool
	}{{"native", true}, {"csi", false}} {
		t.Run(path.name, func(t *testing.T) {
			c := connect(t, shared)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			v, err := c.StartVelero(ctx, stack.VeleroOptions{QPS: 1000, Bucket: "velero", Prefix: path.name, NoCSI: path.native})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = v.Stop(context.WithoutCancel(ctx)) })
			veleroRoundTrip(ctx, t, c, v, path.name)
		})
	}
}

func veleroRoundTrip(ctx context.Context, t *testing.T, c *cluster, v *stack.Velero, name string) {
	claim := "velero-" + name
	c.claim(claim, stack.EBSClassNow, "")
	before := c.bound(claim)
	c.write(before, "rows", name)
	if err := v.Backup(ctx, name, "--include-namespaces=default", "--include-resources=persistentvolumeclaims,persistentvolumes,volumesnapshots,volumesnapshotcontents,volumesnapshotclasses"); err != nil {
		t.Fatal(err)
	}
	c.delete(claims, claim)
	c.gone(before)
	c.until("claim gone", func(ctx context.Context) bool {
		_, err := c.in(claims).Get(ctx, claim, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if err := v.Restore(ctx, name, "--from-backup="+name, "--restore-volumes"); err != nil {
		t.Fatal(err)
	}
	after := c.bound(claim)
	if after == before || c.read(after, "rows") != name {
		t.Errorf("restored volume %s has %q, want %q", after, c.read(after, "rows"), name)
	}
	volume, _ := c.volume(after)
	if native := strings.HasPrefix(volume.Tags["velero.io/backup"], name); native != (name == "native") {
		t.Errorf("tags of the restored volume are %v: it went the other path", volume.Tags)
	}
	c.delete(claims, claim)
	c.gone(after)
	c.wipe(ctx, snapshots, contents)
}

// wipe deletes what a restore left in the cluster.
func (c *cluster) wipe(ctx context.Context, kinds ...schema.GroupVersionResource) {
	c.t.Helper()
	for _, kind := range kinds {
		if err := c.in(kind).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
			c.t.Error(err)
		}
	}
}
