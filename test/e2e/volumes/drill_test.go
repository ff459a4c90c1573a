//go:build stack

package volumes

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

const (
	// soakVariable, set to anything, asks for drillsSoak drills (make soak).
	soakVariable = "LIFEBOAT_SOAK"
	drillsInARow = 10
	drillsSoak   = 50
)

// drilled is an application with a volume, a Job and a pod that waits for it.
const drilled = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"once","namespace":%[1]q},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"registry.k8s.io/pause:3.10"}]}}}}`

// TestDrillsInARow: of many drills with volumes nothing is left, in the cluster or in the account.
func TestDrillsInARow(t *testing.T) {
	l := shared.drills(t, "row")
	ns := l.namespace(t, "row")
	l.claim(t, ns, "data", "first")
	l.claim(t, ns, "logs", "second")
	l.create(t, "jobs.batch", ns, fmt.Sprintf(drilled, ns))
	for path, locations := range paths() {
		l.backup(t, "row-"+path, "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: locations})
	}
	before, n := l.leftovers(t), drillsInARow
	if os.Getenv(soakVariable) != "" {
		n = drillsSoak
	}
	written, err := shared.audit.Length()
	if err != nil {
		t.Fatal(err)
	}
	var copies []string
	for i := range n {
		copies = append(copies, l.drill(t, []string{"row-csi", "row-native"}[i%2]))
	}
	checkWrites(t, written, copies, before)
	eventually(t, "nothing is left", func() error {
		if left := without(l.leftovers(t), before...); len(left) > 0 { // what a test before has deleted late is no drill's
			return fmt.Errorf("%q", left)
		}
		return nil
	})
}

// checkWrites wants Lifeboat to have written, since the audit log had a length, to the copies of
// drills and to cluster-scoped objects that were not there before. There is no other test beside.
func checkWrites(t *testing.T, since int64, copies, before []string) {
	t.Helper()
	requests, err := shared.audit.Requests(since)
	if err != nil {
		t.Fatal(err)
	}
	volumes := 0
	for _, r := range requests {
		if !r.IsWrite() {
			continue
		}
		if kind := r.ObjectRef.Resource; kind == "persistentvolumes" || kind == "volumesnapshotcontents" {
			volumes++
		}
		if !isOfDrill(r, copies, before) {
			t.Errorf("a write outside of the copies: %s %s", r.Verb, r.RequestURI)
		}
	}
	if want := 2 * len(copies); volumes < want {
		t.Errorf("%d writes to volumes and snapshots of drills, want %d at least", volumes, want)
	}
}

// isOfDrill judges a write. What is made has no name in the log: the API server refuses one that is there.
func isOfDrill(r harness.AuditEvent, copies, before []string) bool {
	ref := r.ObjectRef
	if ref.Namespace != "" {
		return slices.Contains(copies, ref.Namespace)
	}
	switch ref.Resource {
	case "namespaces", "persistentvolumes", "volumesnapshotcontents", "priorityclasses":
	default:
		return false
	}
	return !slices.ContainsFunc(before, func(object string) bool {
		kind, name, _ := strings.Cut(object, " ")
		resource, _, _ := strings.Cut(kind, ".")
		return resource == ref.Resource && name == ref.Name
	})
}

// drill runs one, which has to pass and to have made both volumes, and returns the namespace of its copy.
func (l *lab) drill(t *testing.T, backup string) string {
	t.Helper()
	l.runDrill(t, "row", backup)
	out, err := l.Run(t.Context(), "drill", "describe", "row", "-o", "json")
	var told contract.DrillDetails
	if err == nil {
		err = json.Unmarshal([]byte(out), &told)
	}
	i := slices.IndexFunc(told.Teardown.LeakScan, func(k evidence.Leak) bool { return k.Type == "persistentvolumes" })
	if err != nil || i < 0 || told.Teardown.LeakScan[i].Made < 2 || told.Teardown.LeakScan[i].Found != 0 {
		t.Errorf("%v: %+v", err, told.Teardown)
	}
	last, err := drills.Last(t.Context(), l.Store, l.Cluster)
	if err != nil || last == nil || len(last.Evidence.Statement.Predicate.Target.Namespaces) != 1 {
		t.Fatalf("the evidence: %v, %+v", err, last)
	}
	return last.Evidence.Statement.Predicate.Target.Namespaces[0].To
}

// runDrill runs a drill, which has to pass.
func (l *lab) runDrill(t *testing.T, name, backup string) {
	t.Helper()
	began := time.Now()
	out, err := l.Run(t.Context(), "drill", "run", name, "--from-backup", backup, "--level", "L2", "--ready-timeout", "20s", "-o", "json")
	var res contract.DrillResult
	if err == nil {
		err = json.Unmarshal([]byte(out), &res)
	}
	if err != nil || !res.Passed() {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s: %s in %s", backup, res.Level, time.Since(began).Round(time.Millisecond))
}

// leftovers are what drills could leave: objects of the cluster, volumes and snapshots of the account.
func (l *lab) leftovers(t *testing.T) (all []string) {
	t.Helper()
	for _, kind := range []string{"namespaces", "persistentvolumes", "jobs.batch", "priorityclasses.scheduling.k8s.io", volumeSnapshots, snapshotContents} {
		for _, name := range harness.Names(l.List(t, kind, "", "")) {
			all = append(all, kind+" "+fmt.Sprint(name))
		}
	}
	state, err := l.ebs.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range state.Volumes {
		all = append(all, "volume "+v.ID)
	}
	for _, s := range state.Snapshots {
		all = append(all, "snapshot "+s.ID)
	}
	slices.Sort(all)
	return all
}
