//go:build stack

package node

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// proof is an application with data and a backup of it by each path.
type proof struct {
	cluster
	namespace string
	database  postgres
	options   harness.Options
	origin    string   // what evidence says whose the backups are
	drilled   []string // those that are drilled in the new cluster, too
}

const fileText = "a plain file, written once"

// start starts a database under load and a Pod that writes a file, on a cluster with
// a Lifeboat.
func start(t *testing.T, name string) *proof {
	t.Helper()
	p := &proof{options: harness.Options{Cluster: name, Prefix: name + "-" + id, Edit: withDisks(shared)}}
	p.cluster = lifeboat(t, shared, p.options)
	p.origin = p.Cluster
	p.namespace = p.cluster.namespace(t, name)
	p.applyIn(t, p.namespace, diskPod("writer", ""))
	p.database = p.startPostgres(t, p.namespace)
	p.ready(t, p.namespace, "writer")
	p.write(t, p.namespace, "writer", "/data/file", fileText)
	if got := p.onVolume(t, p.volumeID(t, p.namespace, "writer"), "file"); got != fileText {
		t.Fatalf("on the volume: %q", got)
	}
	return p
}

// restore brings a backup back on a cluster and waits until its Pods are Ready.
func (p *proof) restore(t *testing.T, c cluster, backup, name, namespace string) postgres {
	t.Helper()
	args := []string{"restore", "create", name, "--from-backup", backup, "--wait"}
	if namespace != p.namespace {
		args = append(args, "--namespace-mappings", p.namespace+":"+namespace)
	}
	out, err := c.Run(t.Context(), args...)
	if err != nil || !strings.Contains(out, " Completed") {
		described, _ := c.Kubectl(t.Context(), "", "get", "pods,persistentvolumeclaims,persistentvolumes,volumesnapshots", "--namespace", namespace)
		t.Fatalf("restore %s: %v\n%s\n%s", name, err, out, described)
	}
	restored := p.database.at(c, namespace)
	restored.awaitReady(t)
	c.ready(t, namespace, "writer")
	return restored
}

// check compares what a restore brought back with the original.
func (p *proof) check(t *testing.T, restored postgres, original content) {
	t.Helper()
	restored.content(t).isBetweenHooks(t, original)
	if got := restored.exec(t, restored.namespace, "writer", "cat", "/data/file"); got != fileText {
		t.Errorf("file: %q", got)
	}
	restored.works(t)
}

// everywhere restores the backups of both paths beside the first, in a new cluster
// that shares only bucket and account, and in the place of the first, which is lost.
func (p *proof) everywhere(t *testing.T) {
	for path := range paths() {
		t.Run(path+" beside the first", func(t *testing.T) {
			namespace := p.namespace + "-" + path
			p.forget(t, namespace)
			p.check(t, p.restore(t, p.cluster, path, "beside-"+path, namespace), p.database.content(t))
		})
	}
	t.Run("new cluster", func(t *testing.T) { p.newCluster(t) })
	original := p.database.content(t)
	for path := range paths() {
		t.Run(path+" in its place", func(t *testing.T) {
			p.lose(t)
			p.check(t, p.restore(t, p.cluster, path, "again-"+path, p.namespace), original)
		})
	}
}

// newCluster restores on a second control plane with a node and a worker of its own.
func (p *proof) newCluster(t *testing.T) {
	s := stack.Run(t, stack.Options{Node: true, EBS: true, EBSFast: true, EBSFrom: shared.EBS})
	o := p.options
	o.Cluster, o.S3 = o.Cluster+"-elsewhere", strings.TrimPrefix(shared.S3.Endpoint, "http://")
	key, err := harness.MakeDrillKey(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	edit := o.Edit
	o.Edit = func(c *config.Config) {
		edit(c)
		c.Drills.SigningKey = &config.SigningKey{File: key}
	}
	c := lifeboat(t, s, o)
	for path := range paths() {
		t.Run(path, func(t *testing.T) {
			namespace := p.namespace + "-" + path
			p.check(t, p.restore(t, c, path, "new-"+path, namespace), p.database.content(t))
		})
	}
	for _, path := range p.drilled {
		t.Run(path+" drilled", func(t *testing.T) { p.drillElsewhere(t, c, path) })
	}
}

// drillElsewhere proves a backup of one cluster in another, by the other's queue.
func (p *proof) drillElsewhere(t *testing.T, c cluster, backup string) {
	out, err := c.Run(t.Context(), "drill", "run", "--from-backup", backup, "-o", "json")
	var told contract.DrillResult
	if err == nil {
		err = json.Unmarshal([]byte(out), &told)
	}
	if err != nil || !told.Passed() || told.Level != contract.LevelReady {
		t.Fatalf("drill: %v\n%s", err, out)
	}
	content, err := repository.GetBytes(t.Context(), p.Store, told.Key) // both have one location
	if err != nil {
		t.Fatal(err)
	}
	e, err := evidence.Read(content)
	if err != nil {
		t.Fatal(err)
	}
	from, to := e.Statement.Predicate.Source, e.Statement.Predicate.Target
	if from.Cluster.Name != p.origin || to.Cluster.Name != c.Cluster || to.Cluster.UID == from.Cluster.UID || len(from.Snapshots) != 2 {
		t.Errorf("from %+v to %+v", from, to)
	}
	if left := e.Statement.Predicate.Teardown; left.Outcome != evidence.TeardownComplete {
		t.Errorf("teardown %+v", left)
	}
}

// lose deletes the namespace with everything in it, volumes included.
func (p *proof) lose(t *testing.T) {
	t.Helper()
	disks := p.disks(t)
	p.kubectl(t, "delete", "namespace", p.namespace, "--timeout=120s")
	for _, id := range disks {
		p.deleted(t, id)
	}
}

// disks are the volumes of the application.
func (p *proof) disks(t *testing.T) []string {
	t.Helper()
	return []string{p.volumeID(t, p.namespace, "writer"), p.volumeID(t, p.namespace, "data-postgres-0")}
}
