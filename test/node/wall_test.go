//go:build stack

package node

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// walledVariable is set in the process whose node enforces network policies: the folder of the programs.
const walledVariable = "LIFEBOAT_TEST_WALLED"

// TestWall: where the network enforces policies, no pod of a copy reaches a listener outside that the
// original reaches. The wall has refused packets, and the listener has seen none. Each kind of assertion holds
// behind it. It has a stack of its
// own, and is not parallel: two nodes that work at once are too much for a small machine.
func TestWall(t *testing.T) {
	if os.Getenv(walledVariable) == "" {
		inOwnNetwork(t)
		return
	}
	b := startBookstore(t, "wall", "")
	b.backup(t, "walled", paths()["native"])
	address, reached := countingListener(t, onBridge(t))
	host, port, _ := net.SplitHostPort(address)
	reach := func() { b.exec(t, b.namespace, "postgres-0", "bash", "-c", "exec 3<>/dev/tcp/"+host+"/"+port) }
	reach()
	if n := reached.Load(); n != 1 {
		t.Fatalf("the original has reached the listener %d times, want once", n)
	}
	refused := watchRefused(t)
	p := b.drill(t, 0, "walled", reaching(address)...)
	if i := p.Isolation; i.Tried != 2 || i.Reached != 0 || i.Outside != address || i.Accepted {
		t.Errorf("two pods of the copy have tried: %+v", i)
	}
	if n := reached.Load(); n != 1 {
		t.Errorf("%d connections have come out of the copy", n-1)
	}
	b.drillWithoutVolumes(t, address)
	if n := reached.Load(); n != 1 {
		t.Errorf("%d connections have come out of a copy without volumes", n-1)
	}
	if n := refused(); n == 0 {
		t.Error("the wall has refused no packet")
	} else {
		t.Logf("the wall has refused %d packets", n)
	}
	if reach(); reached.Load() != 2 {
		t.Error("the original does not reach the listener any more")
	}
	b.assertEachKind(t)
}

// plainDrill is a drill of a backup without volumes.
const plainDrill = `
apiVersion: lifeboat-backup.github.io/v1
kind: Drill
metadata: {name: plain}
spec:
  source: {backup: plain}
  network: {outside: "<address>"}
  targets: {level: L2}
`

// drillWithoutVolumes drills a namespace in which nothing is there to read: a pod of the drill's own tries
// to leave it.
func (b *bookstore) drillWithoutVolumes(t *testing.T, address string) {
	t.Helper()
	ns := b.cluster.namespace(t, "plain")
	b.applyIn(t, ns, "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}")
	if res, err := b.CLI(t.Context(), "backup", "create", "plain", "--include-namespaces", ns, "--wait"); err != nil || res.Code != 0 {
		t.Fatalf("backup: %v: %+v", err, res)
	}
	if i := b.runDrill(t, 0, fileOf(t, strings.Replace(plainDrill, "<address>", address, 1))).Isolation; i.Tried != 1 || i.Reached != 0 {
		t.Errorf("one pod of the copy has tried: %+v", i)
	}
}

// ownNetwork gives a network that has nothing an address, by which a kubelet knows itself, and a way
// out that leads nowhere.
const ownNetwork = `
ip link set lo up
ip link add eth0 type veth peer name eth1
ip address add 198.51.100.2/24 dev eth0
ip link set eth1 up
ip link set eth0 up
ip route add default dev eth0
`

// inOwnNetwork runs the test again, in a process whose stack has a network of its own: the rules that
// enforce policies are of the network, and go with it.
func inOwnNetwork(t *testing.T) {
	t.Helper()
	binaries(t)
	cmd := exec.CommandContext(t.Context(), "unshare", "--net", "--", "sh", "-ec", ownNetwork+`exec "$0" "$@"`, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=15m")
	cmd.Env = append(os.Environ(), walledVariable+"="+built.dir, stack.Variable+"=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// countingListener accepts connections on an address of the machine and counts those of pods: the
// worker, which asks first whether anybody is there, has that address itself.
func countingListener(t *testing.T, host string) (address string, count *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	count = &atomic.Int64{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the test is over
			}
			if from, _, err := net.SplitHostPort(conn.RemoteAddr().String()); err != nil || from != host {
				count.Add(1)
			}
			_ = conn.Close()
		}
	}()
	return listener.Addr().String(), count
}

// watchRefused looks at the rules of pods until the returned function is called, which tells the most
// packets that they have refused at a time: the rules of a copy go with its pods.
func watchRefused(t *testing.T) func() int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	most := make(chan int, 1)
	go func() {
		n := 0
		for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
			n = max(n, refusedPackets(t))
		}
		most <- n
	}()
	return func() int { cancel(); return <-most }
}

// refusedPackets is how many packets the rules of pods have rejected.
func refusedPackets(t *testing.T) (packets int) {
	t.Helper()
	out, err := exec.Command("iptables", "--list", "--verbose", "--exact", "--numeric").CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line) // packets, bytes, target
		if len(fields) < 3 || fields[2] != "REJECT" {
			continue
		}
		n, err := strconv.Atoi(fields[0])
		if err != nil {
			t.Errorf("%v: %s", err, line)
		}
		packets += n
	}
	return packets
}
