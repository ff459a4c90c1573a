//go:build stack

package node

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/test/database"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// bookstore is PostgreSQL with orders on an EBS volume, and archived ones on a volume that no
// workload mounts, on a cluster whose Lifeboat runs drills.
type bookstore struct {
	cluster
	namespace string
	database  postgres
	worker    *harness.Worker
	publicKey string            // path
	volumes   map[string]string // in EC2, by claim
}

// drillCluster is a cluster whose Lifeboat runs drills, and a namespace.
func drillCluster(t *testing.T, name string) *bookstore {
	t.Helper()
	b, image := &bookstore{}, workerImage(t)
	key, err := harness.MakeDrillKey(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b.publicKey = key + ".pub"
	b.cluster = on(t, shared, binaries(t), harness.Options{Cluster: name, Edit: func(c *config.Config) {
		withDisks(shared)(c)
		c.Drills.SigningKey, c.Drills.Image = &config.SigningKey{File: key}, image
	}})
	b.startWorker(t)
	b.namespace = b.cluster.namespace(t, name)
	return b
}

func (b *bookstore) startWorker(t *testing.T) {
	t.Helper()
	var err error
	if b.worker, err = b.StartWorker(t.Context(), b.Stack.EBS.Environment()...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.worker.Kill)
}

// startBookstore is the bookstore with orders, whose pods have more annotations than those that count
// them.
func startBookstore(t *testing.T, name, annotations string) *bookstore {
	t.Helper()
	b := drillCluster(t, name)
	b.applyIn(t, b.namespace, database.Manifest("postgres", database.Recording+annotations))
	b.applyIn(t, b.namespace, diskPod("archive", ""))
	b.database = postgres{cluster: b.cluster, namespace: b.namespace, pod: database.Pod}
	b.database.awaitReady(t)
	b.database.sql(t, database.Orders)
	b.ready(t, b.namespace, "archive")
	b.write(t, b.namespace, "archive", "/data/orders-2025", "old orders")
	b.kubectl(t, "delete", "pod", "--namespace", b.namespace, "archive")
	b.volumes = map[string]string{}
	for _, claim := range []string{"archive", "data-postgres-0"} {
		b.volumes[claim] = b.volumeID(t, b.namespace, claim)
	}
	return b
}

func (b *bookstore) backup(t *testing.T, name string, flags []string) {
	t.Helper()
	(&proof{cluster: b.cluster, namespace: b.namespace}).backup(t, name, flags)
}

// drill runs a drill of a backup, changed by pairs of texts, and returns its evidence.
func (b *bookstore) drill(t *testing.T, code int, backup string, changes ...string) evidence.Predicate {
	t.Helper()
	return b.runDrill(t, code, b.document(t, backup, changes...))
}

// runDrill runs the drill of a file and returns its evidence.
func (b *bookstore) runDrill(t *testing.T, code int, file string) evidence.Predicate {
	t.Helper()
	res, err := b.CLI(t.Context(), "drill", "run", "-f", file, "-o", "json")
	if err != nil || res.Code != code {
		t.Fatalf("drill: exit %d, want %d: %v\n%s%s", res.Code, code, err, res.Out, res.Err)
	}
	var told contract.DrillResult
	if err := json.Unmarshal([]byte(res.Out), &told); err != nil {
		t.Fatalf("%v\n%s", err, res.Out)
	}
	return b.evidence(t, told.Key)
}

// document is a file with the drill of a backup, changed by pairs of texts.
func (b *bookstore) document(t *testing.T, backup string, changes ...string) string {
	t.Helper()
	return fileOf(t, strings.NewReplacer(changes...).Replace(database.Drill(backup, b.namespace)))
}

// fileOf is a file with the text of a drill.
func fileOf(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "drill.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// evidence is read out of the bucket, and verified as a stranger does.
func (b *bookstore) evidence(t *testing.T, key string) evidence.Predicate {
	t.Helper()
	content, err := repository.GetBytes(t.Context(), b.Store, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), filepath.Base(key))
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if res, err := b.CLI(t.Context(), "drill", "verify", "--key", b.publicKey, file); err != nil || res.Code == 2 {
		t.Errorf("verify: exit %d: %v\n%s%s", res.Code, err, res.Out, res.Err)
	}
	if dir := os.Getenv("LIFEBOAT_DRILL_KEEP"); dir != "" {
		_ = os.WriteFile(filepath.Join(dir, b.namespace+"-"+filepath.Base(key)), content, 0o600)
	}
	e, err := evidence.Read(content)
	if err != nil {
		t.Fatal(err)
	}
	return e.Statement.Predicate
}

// TestDrill proves the bookstore with its data, by both paths of data: the row count is that
// which the hook has recorded, all data is read through, and nothing is left in the cluster and
// in EC2.
func TestDrill(t *testing.T) {
	t.Parallel()
	b := startBookstore(t, "drill", "")
	for path, flags := range paths() {
		t.Run(path, func(t *testing.T) {
			b.backup(t, path, flags)
			before := b.disks(t)
			address := listen(t, "127.0.0.1") // of a pod that is the pod itself
			p := b.drill(t, 0, path, reaching(address)...)
			checkProven(t, p)
			if i := p.Isolation; i.Tried != 2 || i.Reached != 0 || i.Outside != address {
				t.Errorf("two pods have tried to reach what they cannot: %+v", i)
			}
			b.checkGone(t, before)
		})
	}
}

// reaching has the pods of a drill try to reach an address.
func reaching(address string) []string {
	return []string{"  targets:", "  network: {outside: '" + address + "'}\n  targets:"}
}

// listen accepts connections on an address of the machine, and returns it with its port.
func listen(t *testing.T, host string) string {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// checkProven wants all of the bookstore proven, and the two times that it took.
func checkProven(t *testing.T, p evidence.Predicate) {
	t.Helper()
	if p.Claim.Level != evidence.L5 || p.Claim.Verdict != evidence.Passed {
		t.Errorf("claim %+v", p.Claim)
	}
	if a := p.Assertions[0]; a.Recorded != "5000" || a.Found != "5000" || a.Origin != "backup" {
		t.Errorf("assertion %+v", a)
	}
	if l3 := p.Claim.Levels[3]; l3.Checked != 2 || l3.Good != 2 {
		t.Errorf("L3: want the database's volume and that of the archive: %+v", l3)
	}
	if rto := p.Measured.RTO; rto == nil || rto.Ready == 0 || rto.ReadThrough <= rto.Ready || rto.Proven > rto.ReadThrough {
		t.Errorf("RTO %+v", rto)
	} else {
		t.Logf("ready after %s, proven after %s, read through after %s", rto.Ready.Duration(), rto.Proven.Duration(), rto.ReadThrough.Duration())
	}
	if through := p.NotShown[1]; !strings.Contains(through.Text, "files of 2 volumes") {
		t.Errorf("read through: %+v", through)
	}
	if !slices.Contains(p.Teardown.LeakScan, evidence.Leak{Type: contract.EC2Volumes, Made: 2}) {
		t.Errorf("leak scan %+v", p.Teardown.LeakScan)
	}
	if p.Teardown.Outcome != evidence.TeardownComplete || len(p.Source.Snapshots) != 2 || p.NegativeControl.Outcome != evidence.ControlDetected {
		t.Errorf("teardown %+v, snapshots %+v, control %+v", p.Teardown, p.Source.Snapshots, p.NegativeControl)
	}
}

// left are objects of drills that are in the cluster.
func (b *bookstore) left(t *testing.T) (all []string) {
	t.Helper()
	for _, kind := range []string{"namespaces", "persistentvolumes", "volumesnapshotcontents", "volumesnapshots", "jobs", "pods", "priorityclasses"} {
		for _, name := range harness.Names(b.List(t, kind, "", contract.DrillClusterLabel+"="+b.Cluster)) {
			all = append(all, kind+"/"+name)
		}
	}
	return all
}

// disks are the volumes and snapshots of EC2 that belong to the bookstore or a copy of it.
func (b *bookstore) disks(t *testing.T) (all []string) {
	t.Helper()
	state, err := b.Stack.EBS.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	isOurs := func(tags map[string]string) bool {
		for _, value := range tags {
			if strings.Contains(value, b.namespace) || value == b.Cluster {
				return true
			}
		}
		return false
	}
	for _, v := range state.Volumes {
		if isOurs(v.Tags) {
			all = append(all, v.ID)
		}
	}
	for _, s := range state.Snapshots {
		if s.Where == "" && isOurs(s.Tags) {
			all = append(all, s.ID)
		}
	}
	slices.Sort(all)
	if len(all) < 2 {
		t.Errorf("the volumes of the bookstore were not found: %+v", state)
	}
	return all
}
