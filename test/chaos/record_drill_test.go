//go:build stack

package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// drilledSpace has a claim, and an object with an owner; its pod is on no node, so that nothing is ready.
const drilledSpace = `
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: <ns>}, data: {rows: "48211"}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: <ns>}, spec: {storageClassName: <class>, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: <ns>}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "registry.k8s.io/pause:3.10", volumeMounts: [{name: data, mountPath: /data}]}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`

// recordedDrill asserts, tells, and keeps the copy for a moment.
const recordedDrill = `
apiVersion: lifeboat-backup.github.io/v1
kind: Drill
metadata: {name: recorded}
spec:
  source: {backup: <backup>}
  readyTimeout: 1s
  targets: {level: L2}
  assertions:
  - {name: count, namespace: <ns>, object: {resource: configmaps, name: c, field: data.rows}, expect: {equals: "48211"}}
  notifications:
  - {name: event, event: {namespace: <ns>}}
`

// drillRecorder is a Lifeboat whose drills are recorded.
type drillRecorder struct {
	*harness.Harness
	namespace string
}

// TestRecordHistoriesOfDrills makes a history of each way in which a drill goes and replays it; with
// LIFEBOAT_RECORD=version it also keeps them. It has a cluster name and a worker of its own.
func TestRecordHistoriesOfDrills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, err := harness.MakeDrillKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err := harness.New(t.Context(), shared, bins, dir, harness.Options{Cluster: "drills" + tag, Edit: func(c *config.Config) {
		withSnapshots(c)
		c.Drills.SigningKey = &config.SigningKey{File: key}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	worker, err := h.StartWorker(t.Context(), shared.EBS.Environment()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(worker.Stop)
	d := &drillRecorder{Harness: h, namespace: "drills-" + tag}
	t.Cleanup(func() {
		_ = h.Kube.Delete(context.Background(), kube.Nodes(), "", "node-"+d.namespace, kube.DeleteOptions{})
	})
	if err := d.prepare(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, worker.Log())
	}
	for _, shape := range d.shapes() {
		run, err := shape.make(t.Context())
		if err == nil {
			err = keepHistory(t.Context(), h, shape.name, run)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", shape.name, err, worker.Log())
		}
	}
}

func (d *drillRecorder) prepare(ctx context.Context) error {
	if err := create(ctx, d.Kube, namespaceKind, "", m{"metadata": m{"name": d.namespace}}); err != nil {
		return err
	}
	node := m{"metadata": m{"name": "node-" + d.namespace, "labels": m{corev1.LabelTopologyZone: shared.EBS.Zones[0]}}} // disks are made in a zone that has one
	if err := create(ctx, d.Kube, kube.Nodes(), "", node); err != nil {
		return err
	}
	text := strings.NewReplacer("<ns>", d.namespace, "<class>", stack.EBSClassNow).Replace(drilledSpace)
	if _, err := d.Kubectl(ctx, text, "apply", "-f", "-"); err != nil {
		return err
	}
	if _, err := d.Kubectl(ctx, "", "wait", "-n", d.namespace, "--for=jsonpath={.status.phase}=Bound", "pvc/data", "--timeout=1m"); err != nil {
		return err
	}
	for _, args := range [][]string{{"native", "--volume-snapshot-locations", snapshotLocation}, {"csi"}} {
		args = append([]string{"backup", "create", args[0], "--include-namespaces", d.namespace, "--wait"}, args[1:]...)
		if out, err := d.Run(ctx, args...); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}

// drillShape is a way in which a drill goes, and what makes it go so.
type drillShape struct {
	name string
	make func(context.Context) (client.WorkflowRun, error)
}

func (d *drillRecorder) shapes() []drillShape {
	stop := func(ctx context.Context) error { _, err := d.Run(ctx, "drill", "stop"); return err }
	keep := func(ctx context.Context) error { _, err := d.Run(ctx, "drill", "keep", "--for", "2s"); return err }
	cancel := func(ctx context.Context) error {
		return d.Temporal.CancelWorkflow(ctx, contract.DrillID(d.Cluster), "")
	}
	return []drillShape{
		{"drill-native", d.drill("native", "", nil)},
		{"drill-csi", d.drill("csi", "", nil)},
		{"drill-kept", d.drill("native", contract.RunDrillControl.Name, keep)},
		{"drill-stopped", d.drill("csi", contract.CheckDrillReady.Name, stop)},
		{"drill-cancelled", d.drill("native", contract.ApplyTask.Name, cancel)},
		{"drill-unsigned", d.drill("none", "", nil)},
		{"drill-scheduled", d.scheduled},
	}
}

// drill runs one of a backup, and does something in an activity. How it ends is told by its history.
func (d *drillRecorder) drill(backup, activity string, do func(context.Context) error) func(context.Context) (client.WorkflowRun, error) {
	return func(ctx context.Context) (client.WorkflowRun, error) {
		if err := d.StartDrill(ctx, strings.NewReplacer("<ns>", d.namespace, "<backup>", backup).Replace(recordedDrill)); err != nil {
			return nil, err
		}
		done, err := d.AtEach(ctx, contract.DrillID(d.Cluster), []string{activity}, func() error { return do(ctx) })
		if err == nil && len(done) == 0 && activity != "" {
			err = fmt.Errorf("it did not come to %s", activity)
		}
		if err != nil {
			return nil, err
		}
		return d.last(ctx)
	}
}

// last is the last run that any drill had.
func (d *drillRecorder) last(ctx context.Context) (client.WorkflowRun, error) {
	id := contract.DrillID(d.Cluster)
	run, err := d.Temporal.DescribeWorkflow(ctx, id, "")
	if err != nil {
		return nil, err
	}
	return d.Temporal.GetWorkflow(ctx, id, run.RawResponse.GetWorkflowExecutionInfo().GetExecution().GetRunId()), nil
}

func (d *drillRecorder) scheduled(ctx context.Context) (run client.WorkflowRun, err error) {
	for _, args := range [][]string{
		{"drill", "schedule", "yearly", "--schedule", "@yearly", "--from-backup", "csi", "--level", "L2", "--ready-timeout", "1s"},
		{"drill", "schedule", "trigger", "yearly"},
	} {
		if out, err := d.Run(ctx, args...); err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
	}
	err = until(ctx, "the triggered run has ended", func() (bool, error) {
		run, err = lastRun(ctx, d.Harness, contract.ScheduledDrillWorkflow)
		return err == nil, nil
	})
	return run, err
}
