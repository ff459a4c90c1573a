//go:build stack

package node

import (
	"testing"
)

// TestPowerCycle takes the node's power away under a database that writes: what was
// committed is there when it is back, and the volume hangs on the node once.
func TestPowerCycle(t *testing.T) {
	c := plain(t)
	ns := c.namespace(t, "power")
	p := c.startPostgres(t, ns)
	volume := p.volumeID(t, ns, "data-postgres-0")
	before := p.content(t)
	if err := c.Stack.PowerCycleNode(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, patience, "database back", func() error {
		_, err := c.Kubectl(t.Context(), "", "exec", "--namespace", ns, p.pod, "--container", "postgres", "--", "psql", "-c", "SELECT 1")
		return err
	})
	after := p.content(t)
	if len(after.load) < len(before.load) {
		t.Errorf("%d rows before, %d after", len(before.load), len(after.load))
	}
	after.load = after.load[:min(len(after.load), len(before.load))]
	after.isSnapshotOf(t, before)
	if got := c.attachedTo(t, volume); got != c.Stack.Node.InstanceID {
		t.Errorf("attached to %q", got)
	}
}
