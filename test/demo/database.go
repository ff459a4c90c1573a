package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/database"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// The story of the drill: PostgreSQL runs on a node, with its data on a volume.

const (
	workerImage   = harness.Image + ":demo"
	databaseSpace = "bookstore" // the namespace; its backup is called the same
)

// withDisks has a worker take native snapshots in the simulated account, and read volumes in pods.
func withDisks(c *config.Config, s *stack.Stack) {
	c.Drills.Image = workerImage
	c.VolumeSnapshotLocations = []velerov1.VolumeSnapshotLocation{{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec: velerov1.VolumeSnapshotLocationSpec{
			Provider: "aws", Config: map[string]string{"region": s.EBS.Region, "credentialsFile": s.EBS.WorkerFile},
		},
	}}
}

// loadDatabase starts PostgreSQL, whose manifest and statements are as long as they are of no
// interest here, and gives it orders.
func (t *story) loadDatabase(ctx context.Context) error {
	t.s.step("Start PostgreSQL on the node, its data on an EBS volume, and give it 5,000 orders")
	t.started = time.Now()
	return t.s.during("start PostgreSQL", func() error {
		for _, step := range []struct {
			manifest string
			args     []string
		}{
			{args: []string{"create", "namespace", databaseSpace}},
			{database.Manifest("postgres", database.Recording), []string{"apply", "-n", databaseSpace, "-f", "-"}},
			{args: []string{"rollout", "status", "-n", databaseSpace, "statefulset/postgres", "--timeout=3m"}},
			{args: []string{"exec", "-n", databaseSpace, database.Pod, "-c", "postgres", "--", "psql", "--quiet", "-c", database.Orders}},
		} {
			if _, err := t.boat.Kubectl(ctx, step.manifest, step.args...); err != nil {
				return err
			}
		}
		t.done("PostgreSQL is ready and has its orders")
		return nil
	})
}

func (t *story) backUpDatabase(ctx context.Context) error {
	t.s.step("Back it up; a hook of its pod counts the orders, and the backup stores the number")
	err := t.boat.run(ctx, t.s, "backup", "create", databaseSpace, "--include-namespaces", databaseSpace, "--volume-snapshot-locations", "default", "--wait")
	t.s.raw(t.link(contract.BackupID(clusterName, databaseSpace)))
	return err
}

func (t *story) rehearseDatabase(ctx context.Context) error { return t.rehearse(ctx, databaseSpace) }

// drillDatabase restores the database beside itself, and counts the orders.
func (t *story) drillDatabase(ctx context.Context) error {
	t.s.step("Prove the application: a copy of it is restored with its data, the orders are counted, and it is removed")
	file := filepath.Join(t.boat.bin, "drill.yaml")
	document := strings.TrimLeft(database.Drill(databaseSpace, databaseSpace), "\n")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		return fmt.Errorf("write the document of the drill: %w", err)
	}
	t.s.raw(strings.Split(strings.TrimSpace(document), "\n")...)
	t.s.raw(t.link(contract.DrillID(clusterName)))
	return t.drill(ctx, "-f", file)
}
