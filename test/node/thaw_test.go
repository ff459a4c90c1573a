//go:build stack

package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// Commands that go on until somebody ends them, the first time that they run.
const (
	hangs      = "; test -e /data/hung || { : >/data/hung; sleep 43210; }"
	slowFreeze = freezes + hangs
	slowThaw   = "echo thawing >>/data/log" + hangs + "; " + thaws
)

// disturbed is a backup of a Pod that is frozen when something happens.
type disturbed struct {
	name, path string
	pre, post  string // "": freezes, thaws
	fault      ebssim.Fault
	spec       velerov1.BackupSpec
	moment     string // the last line of the log when it happens

	phase   string   // "": cancelled
	reasons []string // each names the Pod or its claim
	kept    int      // snapshots

	*frozenPod
	run client.WorkflowRun
}

func lasting(d time.Duration) ebssim.Fault {
	return ebssim.Fault{Effect: ebssim.EffectDelay, Delay: ebssim.Duration(d), Times: 1}
}

// place makes the Pods of all cases on one cluster.
func place(t *testing.T, of *frozenPod, cases []*disturbed) {
	t.Helper()
	for _, c := range cases {
		own := *of
		c.frozenPod = &own
		if c.pre == "" {
			c.pre = freezes
		}
		if c.post == "" {
			c.post = thaws
		}
		c.frozenPod.place(t, "thaw", c.pre, c.post, time.Minute)
	}
}

// begin starts the backups of all cases and waits for the moment of each.
func begin(t *testing.T, cases []*disturbed) {
	t.Helper()
	for _, c := range cases {
		c.await(t)
		if c.fault.Effect != "" {
			c.frozenPod.fault(t, c.fault)
		}
	}
	for _, c := range cases {
		c.run = c.backupOf(t, c.path, c.spec)
	}
	for _, c := range cases {
		within(t, patience, c.name+", "+c.path, func() error { return c.reached(t) })
	}
	time.Sleep(noted)
}

// noted is how long a worker takes, at most, to note that a command runs.
const noted = 500 * time.Millisecond

// reached: the Pod is at the moment, and its snapshot is asked for if it has a fault.
func (c *disturbed) reached(t *testing.T) error {
	t.Helper()
	if lines := c.log(); c.moment != "" && (len(lines) == 0 || lines[len(lines)-1] != c.moment) {
		return fmt.Errorf("the log is %q", lines)
	}
	if c.fault.Effect == "" {
		return nil
	}
	if hit, err := c.Stack.EBS.Hit(t.Context(), c.volume); err != nil || !hit {
		return errors.Join(err, errText("the fault was not hit"))
	}
	return nil
}

func (c *disturbed) log() []string {
	text, _ := os.ReadFile(filepath.Join(c.dir, "log")) // none before the first freeze
	return strings.Fields(string(text))
}

// end waits for a backup and looks at the Pod, the account and what it says.
func (c *disturbed) end(t *testing.T) {
	res, err := c.result(t, c.run)
	var cancelled *temporal.CanceledError
	if res.Phase != c.phase || (c.phase == "") != errors.As(err, &cancelled) {
		t.Errorf("%v %+v, want %q", err, res, c.phase)
	}
	c.says(t, res)
	c.thawed(t)
	if left := running(t, "43210"); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
	within(t, patience, "snapshots", func() error { // the driver deletes some after the backup's end
		taken := c.snapshots(t, c.volume)
		if len(taken) != c.kept {
			return fmt.Errorf("%d, want %d: %+v", len(taken), c.kept, taken)
		}
		return nil
	})
	for _, s := range c.snapshots(t, c.volume) {
		if _, err := os.Stat(filepath.Join(s.Dir, "frozen")); err != nil {
			t.Errorf("the snapshot is not of a time when the Pod was frozen: %v", err)
		}
	}
	if left := c.kubectl(t, "get", "volumesnapshots", "--namespace", c.namespace, "--output=name"); left != "" {
		t.Errorf("left in the cluster: %s", left)
	}
}

// says compares the reasons, of which there are no others.
func (c *disturbed) says(t *testing.T, res contract.BackupResult) {
	t.Helper()
	if len(res.Reasons) != len(c.reasons) {
		t.Errorf("reasons %q, want %q", res.Reasons, c.reasons)
		return
	}
	for _, want := range c.reasons {
		found := false
		for _, r := range res.Reasons {
			found = found || strings.Contains(r, want) && strings.Contains(r, c.namespace+"/")
		}
		if !found {
			t.Errorf("no reason says %q: %q", want, res.Reasons)
		}
	}
}

// TestThawWhateverHappens kills workers and cuts lines at each moment at which a Pod may
// be frozen, by both paths: it is thawed in the end, and the backup says what it was.
func TestThawWhateverHappens(t *testing.T) {
	t.Parallel()
	line, err := stack.NewProxy(shared.APIServer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(line.Close)
	killed := &frozenPod{cluster: on(t, shared, binaries(t), harness.Options{Cluster: "thaw-killed", Edit: withDisks(shared)})}
	troubled := &frozenPod{cluster: on(t, shared, binaries(t), harness.Options{Cluster: "troubled", API: line.Addr(), Edit: withDisks(shared)})}
	killed.startWorker(t)
	troubled.startWorker(t)
	kills, cuts, failures := killRounds(), cutCases(), failureCases()
	place(t, killed, slices.Concat(kills...))
	place(t, troubled, cuts)
	place(t, troubled, failures)

	for _, round := range kills {
		begin(t, round)
		killed.worker.Kill()
		killed.startWorker(t)
		for _, c := range round {
			c.worker = killed.worker
			t.Run(c.name+", "+c.path, c.end)
		}
	}
	begin(t, cuts)
	line.Cut()
	time.Sleep(outage)
	if err := line.Heal(); err != nil {
		t.Fatal(err)
	}
	for _, c := range failures {
		begin(t, []*disturbed{c})
		if c.phase != "" {
			continue
		}
		if err := c.Temporal.CancelWorkflow(t.Context(), c.run.GetID(), c.run.GetRunID()); err != nil {
			t.Fatal(err)
		}
	}
	for _, group := range [][]*disturbed{cuts, failures} {
		for _, c := range group {
			t.Run(c.name+", "+c.path, c.end)
		}
	}
}

// killRounds lose their worker, all of a round at once: by the CSI path one pod is quiesced
// after the other. Where hooks may have run twice, the backup says so.
func killRounds() [][]*disturbed {
	repeated := []string{"HOOK_REPEATED"}
	rounds := make([][]*disturbed, 3)
	for path := range paths() {
		for i, c := range []*disturbed{
			{name: "killed in the pre hook", path: path, pre: slowFreeze, moment: "frozen", phase: "Completed", reasons: repeated, kept: 1},
			{name: "killed in between", path: path, fault: lasting(15 * time.Second), moment: "frozen", phase: "Completed", reasons: repeated, kept: 1},
			{name: "killed in the post hook", path: path, post: slowThaw, moment: "thawing", phase: "Completed", reasons: repeated, kept: 1},
		} {
			rounds[i] = append(rounds[i], c)
		}
	}
	return rounds
}

// outage is longer than the snapshots of the cut cases take, so that the post hooks
// meet it.
const outage = 10 * time.Second

// cutCases lose the API server for a while.
func cutCases() []*disturbed {
	var all []*disturbed
	for path := range paths() {
		all = append(all, &disturbed{name: "cut", path: path, fault: lasting(outage / 2), moment: "frozen", phase: "Completed", kept: 1})
	}
	return all
}

// failureCases are what goes wrong on the CSI path; the native one has tests of its own.
func failureCases() []*disturbed {
	refused := ebssim.Fault{Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403, Message: "not the driver", For: ebssim.Duration(30 * time.Second)}
	return []*disturbed{
		{name: "cancelled", path: "csi", fault: lasting(5 * time.Second), moment: "frozen"},
		{
			name: "the snapshot fails", path: "csi", fault: refused, spec: velerov1.BackupSpec{CSISnapshotTimeout: metav1.Duration{Duration: 10 * time.Second}},
			phase: "PartiallyFailed", reasons: []string{"SNAPSHOT_FAILED"},
		},
		{
			name: "the pre hook fails", path: "csi", pre: freezes + "; exit 3",
			phase: "PartiallyFailed", reasons: []string{"HOOK_FAILED", "pod " /* … was not frozen */},
		},
	}
}
