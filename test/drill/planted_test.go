//go:build stack

package drill

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestQuota: a quota of the backup that allows less than its workloads use is found by name, also
// if they are ready at this moment.
func TestQuota(t *testing.T) {
	ns := "quota-" + shared.ID
	setUp(t, ns, "quota-before")
	apply(t, "{apiVersion: v1, kind: ResourceQuota, metadata: {name: tight, namespace: "+ns+"}, spec: {hard: {pods: 1}}}")
	cli(t, 0, "backup", "create", "quota", "--include-namespaces", ns, "--wait")

	_, p := drill(t, 3, "quota", "--from-backup", "quota", "--ready-timeout", "10s")
	t.Log(jsonOf(p.Claim))
	checkFailed(t, p, evidence.L3, evidence.LevelMissed, "tight: allows 1 of pods, and 2 is used")
}

// TestWebhook: what a webhook of the cluster refuses is named, with the webhook and its words.
func TestWebhook(t *testing.T) {
	_, name := setUpStuck(t, "webhook")
	server := httptest.NewTLSServer(http.HandlerFunc(refuse))
	t.Cleanup(server.Close)
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	apply(t, strings.NewReplacer("<url>", server.URL, "<ca>", ca).Replace(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: strict}
webhooks:
- name: strict.example.com
  clientConfig: {url: "<url>", caBundle: <ca>}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  namespaceSelector: {matchExpressions: [{key: lifeboat-backup.github.io/drill, operator: Exists}]}
  objectSelector: {}
  sideEffects: None
  admissionReviewVersions: [v1]
`))
	defer func() {
		if _, err := shared.Kubectl(t.Context(), "", "delete", "validatingwebhookconfiguration", "strict"); err != nil {
			t.Error(err)
		}
	}()
	_, p := drill(t, 3, "webhook", "--from-backup", name, "--ready-timeout", "1s")
	t.Log(jsonOf(p.Claim))
	checkFailed(t, p, evidence.L0, evidence.ObjectsLost, `admission webhook \"strict.example.com\" denied the request: no settings here`)
}

// refuse answers an AdmissionReview: the ConfigMap c of the backup is not taken.
func refuse(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Request struct {
			UID  string `json:"uid"`
			Name string `json:"name"`
		} `json:"request"`
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
		"response": map[string]any{"uid": review.Request.UID, "allowed": review.Request.Name != "c", "status": map[string]any{"message": "no settings here"}},
	})
}

// TestForeignVolume: a free volume that a claim of the copy would be bound to keeps the drill from
// making the claim; the volume stays free.
func TestForeignVolume(t *testing.T) {
	ns := "foreign-" + shared.ID
	apply(t, strings.ReplaceAll(`
{apiVersion: v1, kind: Namespace, metadata: {name: <ns>}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: <ns>}, spec: {accessModes: [ReadWriteOnce], storageClassName: kwok-volume, resources: {requests: {storage: 1Gi}}}}
`, "<ns>", ns))
	if _, err := shared.Kubectl(t.Context(), "", "wait", "--namespace", ns, "--for=jsonpath={.status.phase}=Bound", "persistentvolumeclaim/data", "--timeout=1m"); err != nil {
		t.Fatal(err)
	}
	cli(t, 0, "backup", "create", "foreign", "--include-namespaces", ns, "--wait")
	volume := "left-" + shared.ID
	apply(t, "{apiVersion: v1, kind: PersistentVolume, metadata: {name: "+volume+"}, spec: {capacity: {storage: 5Gi}, accessModes: [ReadWriteOnce], storageClassName: kwok-volume, persistentVolumeReclaimPolicy: Retain, hostPath: {path: /of/somebody}}}")
	defer removeVolume(t, volume)
	cli(t, 1, "drill", "run", "foreign", "--from-backup", "foreign", "--wait")
	p := latest(t)
	t.Log(jsonOf(p.Claim))
	checkFailed(t, p, evidence.L0, evidence.Aborted, "volume "+volume+" is free, and the copy of claim "+ns+"/data would be bound to it")
	if pv := shared.Object(t, "persistentvolumes", "", volume); !strings.Contains(jsonOf(pv["status"]), "Available") {
		t.Errorf("the volume is %s", jsonOf(pv["status"]))
	}
}

// TestForeignVolumeOfAController: a claim that is not in the backup, because its controller makes it,
// would be bound to somebody's free volume: the drill does not begin. A claim that nobody could foresee
// is bound to it while the drill runs: the drill says so, and the volume keeps its data.
func TestForeignVolumeOfAController(t *testing.T) {
	ns, volume := "foreign-set-"+shared.ID, "somebodys-"+shared.ID
	apply(t, strings.ReplaceAll(`
{apiVersion: v1, kind: Namespace, metadata: {name: <ns>}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: <ns>}, spec: {replicas: 1, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: "registry.k8s.io/pause:3.10", volumeMounts: [{name: data, mountPath: /data}]}]}}, volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], storageClassName: of-nobody-<ns>, resources: {requests: {storage: 1Gi}}}}]}}
`, "<ns>", ns))
	cli(t, 0, "backup", "create", "foreign-set", "--include-namespaces", ns, "--exclude-resources", "persistentvolumeclaims,persistentvolumes", "--wait")
	if _, err := shared.Kubectl(t.Context(), "", "delete", "--namespace", ns, "statefulset/db", "persistentvolumeclaim/data-db-0", "--timeout=1m"); err != nil {
		t.Fatal(err)
	}
	free := "{apiVersion: v1, kind: PersistentVolume, metadata: {name: " + volume + "}, spec: {capacity: {storage: 5Gi}, accessModes: [ReadWriteOnce], storageClassName: of-nobody-" + ns + ", persistentVolumeReclaimPolicy: Delete, hostPath: {path: /of/somebody}}}"
	apply(t, free)
	defer removeVolume(t, volume)
	cli(t, 1, "drill", "run", "foreign-set", "--from-backup", "foreign-set", "--wait")
	checkFailed(t, latest(t), evidence.L0, evidence.Aborted, "volume "+volume+" is free, and the copy of claim template data of statefulsets.apps "+ns+"/db would be bound to it")
	if pv := shared.Object(t, "persistentvolumes", "", volume); !strings.Contains(jsonOf(pv["status"]), "Available") {
		t.Errorf("the volume is %s", jsonOf(pv["status"]))
	}

	removeVolume(t, volume)
	begin(t, "foreign-set", "foreign-set", "20s")
	apply(t, free)
	if err := await(t); err != nil {
		t.Fatal(err)
	}
	checkFailed(t, latest(t), evidence.L2, evidence.LevelMissed, "was bound to volume "+volume)
	if pv := shared.Object(t, "persistentvolumes", "", volume); !strings.Contains(jsonOf(pv["spec"]), `"Retain"`) || !strings.Contains(jsonOf(pv["status"]), "Released") {
		t.Errorf("the volume: %s %s", jsonOf(pv["spec"]), jsonOf(pv["status"]))
	}
}

func removeVolume(t *testing.T, name string) {
	t.Helper()
	if _, err := shared.Kubectl(t.Context(), "", "delete", "persistentvolume", name, "--ignore-not-found", "--timeout=1m"); err != nil {
		t.Error(err)
	}
}

// TestCopyDeleted: a copy that somebody deletes while it is looked at proves nothing.
func TestCopyDeleted(t *testing.T) {
	_, name := setUpStuck(t, "deleted")
	begin(t, "deleted", name, "20s")
	for _, ns := range copies(t) {
		if _, err := shared.Kubectl(t.Context(), "", "delete", "namespace", harness.Names([]map[string]any{ns})[0], "--timeout=1m"); err != nil {
			t.Fatal(err)
		}
	}
	if err := await(t); err != nil {
		t.Fatal(err)
	}
	checkFailed(t, latest(t), evidence.L3, evidence.LevelMissed, "is gone: somebody has deleted the copy")
}
