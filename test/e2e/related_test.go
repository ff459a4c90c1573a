//go:build stack

package e2e

import (
	"fmt"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// needy is a pod whose claim and priority class carry no label, and a Job that lacks the
// label of its pod. No node fits the pods, so they never end.
const needy = `
{apiVersion: v1, kind: Namespace, metadata: {name: <needy>}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: <needy>}
spec: {storageClassName: "", volumeName: needy-<id>, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: <needy>}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: <needy>, labels: {app: web}}
spec:
  priorityClassName: needy-<id>
  nodeSelector: {no: where}
  containers: [{name: c, image: "registry.k8s.io/pause:3.10", volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: count, namespace: <needy>, labels: {app: count}}
spec:
  template:
    metadata: {labels: {role: worker}}
    spec: {restartPolicy: Never, nodeSelector: {no: where}, containers: [{name: c, image: "registry.k8s.io/pause:3.10"}]}
`

const needyAround = `
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: needy-<id>}, value: 7}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: needy-<id>}
spec:
  storageClassName: ""
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  claimRef: {namespace: <needy>, name: data}
  hostPath: {path: /nowhere}
`

// needyLab is a backup of the needy objects.
type needyLab struct {
	*lab
	ns, volume string // volume is the name of the PriorityClass too
	around     string // manifest
}

// TestRestoreBringsWhatPodsNeed restores parts of a backup and looks for what the
// filters do not select and the selected pods need.
func TestRestoreBringsWhatPodsNeed(t *testing.T) {
	t.Parallel()
	l := shared
	names := l.namespaces(t, "needy")
	n := &needyLab{lab: l, ns: names.Replace("<needy>"), volume: names.Replace("needy-<id>"), around: names.Replace(needyAround)}
	l.applyClusterScoped(t, n.around)
	l.apply(t, names.Replace(needy))
	eventually(t, "the claim is bound and the job has its pod", func() error { return n.settled(t) })
	off := false
	completed(t, backup(t, l.Harness, "needy", velerov1.BackupSpec{IncludedNamespaces: []string{n.ns}, SnapshotVolumes: &off}))
	t.Run("namespace", n.namespace)
	t.Run("label", n.label)
	t.Run("pod of a job", n.jobPod)
}

func (n *needyLab) settled(t *testing.T) error {
	for _, object := range [][2]string{{"pods", "role=worker"}, {"persistentvolumeclaims", ""}} {
		out, err := n.Kubectl(t.Context(), "", "get", object[0], "-n", n.ns, "-l", object[1], "-o", "jsonpath={.items[*].status.phase}")
		if err != nil {
			return err
		}
		if want := map[string]string{"pods": "Pending", "persistentvolumeclaims": "Bound"}[object[0]]; out != want {
			return fmt.Errorf("%s: %q", object[0], out)
		}
	}
	return nil
}

// lose deletes all that was backed up.
func (n *needyLab) lose(t *testing.T) {
	t.Helper()
	n.deleteNamespaces(t, n.ns)
	if _, err := n.Kubectl(t.Context(), n.around, "delete", "--ignore-not-found", "--timeout="+patience.String(), "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// whole looks for the pod and all that it needs, in a restore without a word about them.
func (n *needyLab) whole(t *testing.T, name string, res contract.RestoreResult) {
	t.Helper()
	lines := restoreOutcomes(t, n.Harness, name)
	if res.Phase != "Completed" || res.Counts.Failed > 0 {
		t.Errorf("%+v\n%s", res, strings.Join(lines, "\n"))
	}
	if pod := n.Object(t, "pods", n.ns, "web"); harness.At(pod, "spec", "priority") != float64(7) {
		t.Errorf("pod: %v\n%s", pod, strings.Join(lines, "\n"))
	}
	if claim := n.Object(t, "persistentvolumeclaims", n.ns, "data"); harness.At(claim, "spec", "volumeName") != n.volume {
		t.Errorf("claim: %v", claim)
	}
	if n.Object(t, "persistentvolumes", "", n.volume) == nil {
		t.Error("the claim's volume is missing")
	}
}

func (n *needyLab) namespace(t *testing.T) {
	n.lose(t)
	res := restore(t, n.Harness, contract.RestoreInput{Name: "needy-ns", Spec: velerov1.RestoreSpec{BackupName: "needy", IncludedNamespaces: []string{n.ns}}})
	n.whole(t, "needy-ns", res)
}

func (n *needyLab) label(t *testing.T) {
	n.lose(t)
	out, err := n.Run(t.Context(), "restore", "create", "needy-dry", "--from-backup", "needy", "--selector", "app=web", "--dry-run")
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"+ pods " + n.ns + "/web", "+ persistentvolumeclaims " + n.ns + "/data", "+ priorityclasses.scheduling.k8s.io " + n.volume} {
		if !strings.Contains(out, words) {
			t.Errorf("no %q in:\n%s", words, out)
		}
	}
	res := restore(t, n.Harness, contract.RestoreInput{Name: "needy-label", Plan: "needy-dry", Spec: velerov1.RestoreSpec{
		BackupName: "needy", LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
	}})
	n.whole(t, "needy-label", res)
	if res.Counts.Created != 4 || n.Object(t, "configmaps", n.ns, "plain") != nil || n.Object(t, "jobs.batch", n.ns, "count") != nil {
		t.Errorf("more than the pod needs: %+v", res.Counts)
	}
}

// jobPod is restored although its Job is in the backup: the Job is not selected.
func (n *needyLab) jobPod(t *testing.T) {
	res := restore(t, n.Harness, contract.RestoreInput{Name: "needy-job", Spec: velerov1.RestoreSpec{
		BackupName: "needy", LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"role": "worker"}},
	}})
	lines := restoreOutcomes(t, n.Harness, "needy-job")
	if pods := strings.Fields(n.kubectl(t, "get", "pods", "-n", n.ns, "-l", "role=worker", "-o", "name")); len(pods) != 1 || res.Counts.Created != 1 {
		t.Errorf("pods %v, %+v\n%s", pods, res, strings.Join(lines, "\n"))
	}
	if n.Object(t, "jobs.batch", n.ns, "count") != nil || !has(lines, "warnings: [OWNER_MISSING]", "Job count") {
		t.Errorf("outcomes %q", lines)
	}
}
