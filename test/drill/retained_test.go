//go:build stack

package drill

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// retained is an application on a disk that somebody has put there, and that stays when its claim goes.
const retained = `
{apiVersion: v1, kind: Namespace, metadata: {name: <ns>}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: <ns>}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  hostPath: {path: /of/production}
  claimRef: {namespace: <ns>, name: data}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: <ns>}, spec: {accessModes: [ReadWriteOnce], storageClassName: "", volumeName: <ns>, resources: {requests: {storage: 1Gi}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: <ns>}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "registry.k8s.io/pause:3.10", volumeMounts: [{name: data, mountPath: /data}]}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`

// TestRetainedVolume: a claim of a disk that the drill did not make gets an empty one, once; the disk stays as
// it was, and the evidence says why no more than L4 is proven.
func TestRetainedVolume(t *testing.T) {
	ns := "retained-" + shared.ID
	apply(t, strings.ReplaceAll(retained, "<ns>", ns))
	if _, err := shared.Kubectl(t.Context(), "", "rollout", "status", "deployment/web", "-n", ns, "--timeout=2m"); err != nil {
		t.Fatal(err)
	}
	cli(t, 0, "backup", "create", "retained", "--include-namespaces", ns, "--wait")
	disk := func() any {
		return harness.At(shared.Object(t, "persistentvolumes", "", ns), "metadata", "resourceVersion")
	}
	before := disk()
	if before == nil {
		t.Fatal("there is no disk")
	}
	_, p := drill(t, 0, "retained", "--from-backup", "retained", "--ready-timeout", "1m")
	if l := p.Claim.Levels; p.Claim.Level != evidence.L4 || l[3].Checked != 1 || l[3].Good != 1 || !strings.Contains(l[5].Detail, "the data of 1 volumes is not in the copy, which got empty ones: claim "+ns+"/data") {
		t.Errorf("%+v", p.Claim)
	}
	if now := disk(); now != before {
		t.Errorf("the disk has changed: resourceVersion %v, was %v", now, before)
	}
}
