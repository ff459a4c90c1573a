package apply

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

func updatePolicy() velerov1.RestoreSpec {
	return velerov1.RestoreSpec{ExistingResourcePolicy: velerov1.PolicyTypeUpdate}
}

// statedFinalizer is one that the manifest's author stated.
const statedFinalizer = `,"finalizers":["example.com/hold"],"managedFields":[{"manager":"kubectl-create","operation":"Update","fieldsV1":{"f:metadata":{"f:finalizers":{"v:\"example.com/hold\"":{}}}}}]`

// restoreLabels are the labels of what restore "r" makes, as JSON.
const restoreLabels = `,"labels":{"velero.io/backup-name":"b","velero.io/restore-name":"r"}`

const (
	storedData = `,"apiVersion":"v1","kind":"ConfigMap","data":{"k":"v"}`
	sameData   = `,"data":{"k":"v"}`
	otherData  = `,"data":{"k":"other"}`
)

// TestSentObjects: what is asked of the API server for one object, and what its record
// says of the answers.
func TestSentObjects(t *testing.T) {
	t.Parallel()
	configMap := kubetest.On("", kube.ConfigMaps()).Named("o")
	creates, patches := kubetest.On("create", kube.ConfigMaps()).Named("o"), kubetest.On("patch", kube.ConfigMaps()).Named("o")
	for name, tt := range map[string]struct {
		stored  restoretest.Stored // a ConfigMap "o", if it has no key
		spec    velerov1.RestoreSpec
		live    string
		answers func(*kubetest.Server)
		// calls are the verbs of the requests for the object.
		calls   string
		action  string
		reason  string
		reasons []string // codes and severities
		words   string   // of the first reason
	}{
		"missing": {calls: "create", action: "created"},
		"equal":   {live: liveObject("ConfigMap", "o", "", sameData), calls: "create get", action: "skipped", reason: "already there, equal"},
		"different": {
			live: liveObject("ConfigMap", "o", "", otherData), calls: "create get",
			action: "skipped", reason: "EXISTS_DIFFERS", reasons: []string{"EXISTS_DIFFERS warning"}, words: "existingResourcePolicy is none",
		},
		"different, update": {spec: updatePolicy(), live: liveObject("ConfigMap", "o", "", otherData), calls: "create get patch", action: "updated"},
		"equal, update":     {spec: updatePolicy(), live: liveObject("ConfigMap", "o", "", sameData), calls: "create get patch", action: "skipped", reason: "already there, equal"},
		"equal and labelled, update": {
			spec: updatePolicy(), live: liveObject("ConfigMap", "o", restoreLabels+`,"creationTimestamp":"1990-01-01T00:00:00Z"`, sameData),
			calls: "create get", action: "skipped", reason: "already there, equal",
		},
		"equal, labels refused": {
			spec: updatePolicy(), live: liveObject("ConfigMap", "o", "", sameData),
			answers: func(s *kubetest.Server) {
				s.Refuse(patches, http.StatusForbidden, metav1.StatusReasonForbidden, "no labels here")
			},
			calls: "create get patch", action: "skipped", reason: "already there, equal",
			reasons: []string{"UPDATE_FAILED warning"}, words: "equal, but its labels could not be set: patch configmaps n/o: no labels here",
		},
		"update refused once": {
			spec: updatePolicy(), live: liveObject("ConfigMap", "o", "", otherData),
			answers: func(s *kubetest.Server) {
				s.Refuse(patches.Times(1), http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "not yet")
			},
			calls: "create get patch create get patch", action: "updated",
		},
		"update refused twice": {
			spec: updatePolicy(), live: liveObject("ConfigMap", "o", "", otherData),
			answers: func(s *kubetest.Server) {
				s.Refuse(patches.Times(2), http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "field is immutable")
			},
			calls: "create get patch create get patch patch", action: "skipped", reason: "UPDATE_FAILED",
			reasons: []string{"UPDATE_FAILED warning"}, words: "field is immutable",
		},
		"update and labels refused": {
			spec: updatePolicy(), live: liveObject("ConfigMap", "o", "", otherData),
			answers: func(s *kubetest.Server) {
				s.Refuse(patches, http.StatusForbidden, metav1.StatusReasonForbidden, `admission webhook "w" denied the request`)
			},
			calls: "create get patch create get patch patch", action: "skipped", reason: "WEBHOOK_DENIED",
			reasons: []string{"WEBHOOK_DENIED warning"}, words: "its labels could not be set either",
		},
		"of an earlier attempt": {live: liveObject("ConfigMap", "o", restoreLabels, otherData), calls: "create get", action: "created"},
		"of an earlier restore of the name": {
			live:  liveObject("ConfigMap", "o", restoreLabels+`,"creationTimestamp":"1990-01-01T00:00:00Z"`, otherData),
			calls: "create get", action: "skipped", reason: "EXISTS_DIFFERS", reasons: []string{"EXISTS_DIFFERS warning"},
		},
		"left as it is, with a finalizer that would be kept": {
			stored: restoretest.Stored{Key: "configmaps n/o", Rest: storedData, Meta: statedFinalizer}, live: liveObject("ConfigMap", "o", "", sameData),
			calls: "create get", action: "skipped", reason: "already there, equal",
		},
		"updated, which leaves the finalizers alone": {
			stored: restoretest.Stored{Key: "configmaps n/o", Rest: storedData, Meta: statedFinalizer}, spec: updatePolicy(), live: liveObject("ConfigMap", "o", "", otherData),
			calls: "create get patch", action: "updated",
		},
		"created with a finalizer that is kept": {
			stored: restoretest.Stored{Key: "configmaps n/o", Rest: storedData, Meta: statedFinalizer},
			calls:  "create", action: "created", reasons: []string{"FINALIZER_KEPT warning"},
		},
		"refused once": {
			answers: func(s *kubetest.Server) {
				s.Refuse(creates.Times(1), http.StatusForbidden, metav1.StatusReasonForbidden, "exceeded quota: q")
			},
			calls: "create get create", action: "created",
		},
		"refused twice": {
			answers: func(s *kubetest.Server) {
				s.Refuse(creates, http.StatusForbidden, metav1.StatusReasonForbidden, "exceeded quota: q")
			},
			calls: "create get create get", action: "failed", reasons: []string{"QUOTA_EXCEEDED error"}, words: "exceeded quota: q",
		},
		"exists, and something else is said first": {
			live: liveObject("ConfigMap", "o", "", sameData),
			answers: func(s *kubetest.Server) {
				s.Refuse(creates, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "provided port is already allocated")
			},
			calls: "create get get", action: "skipped", reason: "already there, equal",
		},
		"deleted after the create was refused": {
			answers: func(s *kubetest.Server) {
				s.Refuse(creates.Times(1), http.StatusConflict, metav1.StatusReasonAlreadyExists, "exists")
			},
			calls: "create get create", action: "created",
		},
		"comes and goes": {
			answers: func(s *kubetest.Server) {
				s.Refuse(creates, http.StatusConflict, metav1.StatusReasonAlreadyExists, "exists")
			},
			calls: "create get create get", action: "failed", reasons: []string{"CONFLICT error"}, words: `configmaps "o" not found`,
		},
		"unreadable": {
			live: liveObject("ConfigMap", "o", "", sameData),
			answers: func(s *kubetest.Server) {
				s.Refuse(kubetest.On("get", kube.ConfigMaps()), http.StatusForbidden, metav1.StatusReasonForbidden, "may not get")
			},
			calls: "create get get create get", action: "failed", reasons: []string{"FORBIDDEN error"}, words: "may not get",
		},
		"a webhook that does not answer": {
			answers: func(s *kubetest.Server) {
				s.Refuse(creates, http.StatusInternalServerError, metav1.StatusReasonInternalError, `failed calling webhook "w"`)
			},
			action: "failed", reasons: []string{"WEBHOOK_DENIED error"},
		},
		"field owners": {
			stored: restoretest.Stored{Key: "configmaps n/o", Rest: storedData, Meta: appliedFields},
			calls:  "create patch", action: "created",
		},
		"field owners of an earlier attempt": {
			stored: restoretest.Stored{Key: "configmaps n/o", Rest: storedData, Meta: appliedFields}, live: liveObject("ConfigMap", "o", restoreLabels, sameData),
			calls: "create get patch", action: "created",
		},
		"field owners refused": {
			stored: restoretest.Stored{Key: "configmaps n/o", Rest: storedData, Meta: appliedFields},
			answers: func(s *kubetest.Server) {
				s.Refuse(patches, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "fields")
			},
			calls: "create patch", action: "created", reasons: []string{"STATUS_FAILED warning"}, words: "fields",
		},
		"a namespace that is missing": {
			answers: func(s *kubetest.Server) { s.Remove(coreType("namespaces"), "", "n") },
			calls:   "create create", action: "created",
		},
		"a namespace that cannot be made": {
			answers: func(s *kubetest.Server) {
				s.Remove(coreType("namespaces"), "", "n")
				s.Refuse(kubetest.On("create", coreType("namespaces")), http.StatusForbidden, metav1.StatusReasonForbidden, "no namespaces")
			},
			calls: "create get create get", action: "failed", reasons: []string{"FORBIDDEN error"}, words: "create namespace n: create namespaces n: no namespaces",
		},
		"a namespace that is being deleted": {
			answers: func(s *kubetest.Server) {
				s.PutJSON(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n","deletionTimestamp":"2026-01-01T00:00:00Z"}}`)
				time.AfterFunc(100*time.Millisecond, func() { s.Remove(coreType("namespaces"), "", "n") })
			},
			action: "created",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := kubetest.Start(t, kubetest.WithoutNetwork())
				s.PutNamespaces("n")
				if tt.live != "" {
					s.PutJSON(tt.live)
				}
				if tt.answers != nil {
					tt.answers(s)
				}
				if tt.stored.Key == "" {
					tt.stored = storedConfigMaps("o")[0]
				}
				run := newRun(t, tt.spec, false, tt.stored)
				rec := applyAll(t, newTestApplier(t, s, run), run)["o"]
				if got := verbsOf(s, configMap); tt.calls != "" && got != tt.calls {
					t.Errorf("calls %q, want %q", got, tt.calls)
				}
				if rec.Action != tt.action || rec.Reason != tt.reason || !slices.Equal(reasonWords(rec.Reasons), tt.reasons) {
					t.Errorf("%+v", rec)
				}
				if tt.words != "" && (len(rec.Reasons) == 0 || !strings.Contains(rec.Reasons[0].Message, tt.words)) {
					t.Errorf("no word on %q: %+v", tt.words, rec.Reasons)
				}
				if existed := tt.live != "" && rec.Action != "created" && rec.Action != "failed"; existed != (rec.Live != "") {
					t.Errorf("live %q", rec.Live)
				}
			})
		})
	}
}

const appliedFields = `,"managedFields":[{"manager":"gitops","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:k":{}}}}]`

// verbsOf are the verbs of the requests that match, in their order.
func verbsOf(s *kubetest.Server, match kubetest.Match) string {
	var verbs []string
	for _, q := range s.Requests() {
		if match(q) {
			verbs = append(verbs, q.Verb)
		}
	}
	return strings.Join(verbs, " ")
}

// TestSentContent: what objects are like in the cluster afterwards.
func TestSentContent(t *testing.T) {
	s := kubetest.Start(t)
	s.PutJSON(liveObject("ConfigMap", "updated", `,"labels":{"extra":"1"}`, `,"data":{"k":"other","gone":"x"}`),
		liveObject("ConfigMap", "equal", "", sameData))
	run := newRun(t, updatePolicy(), false, append(storedConfigMaps("updated", "equal", "new"),
		restoretest.Stored{Key: "configmaps n/owned", Rest: storedData, Meta: appliedFields})...)
	applyAll(t, newTestApplier(t, s, run), run)
	for _, name := range []string{"updated", "equal", "new", "owned"} {
		live, ok := kubetest.Get[corev1.ConfigMap](s, kube.ConfigMaps(), "n", name)
		if !ok || len(live.Data) != 1 || live.Data["k"] != "v" || live.Labels["extra"] != "" ||
			live.Labels[resource.LabelRestore] != "r" || live.Labels[resource.LabelBackup] != resource.LabelValue(run.Archive.Backup) {
			t.Errorf("%s: %+v", name, live)
		}
		if owned := len(live.ManagedFields) == 1; owned != (name == "owned") {
			t.Errorf("%s: field owners %+v", name, live.ManagedFields)
		}
	}
}

// TestMergedServiceAccount: what a namespace is born with gets what it lacks, under
// any policy; what differs is told.
func TestMergedServiceAccount(t *testing.T) {
	s := kubetest.Start(t)
	s.PutJSON(liveObject("ServiceAccount", "default", "", `,"secrets":[{"name":"mine"}],"automountServiceAccountToken":true`))
	run := newRun(t, velerov1.RestoreSpec{}, false, restoretest.Stored{Key: "serviceaccounts n/default", Rest: `,"apiVersion":"v1","kind":"ServiceAccount","secrets":[{"name":"stored"}],"automountServiceAccountToken":false`})
	rec := applyAll(t, newTestApplier(t, s, run), run)["default"]
	live, _ := kubetest.Get[corev1.ServiceAccount](s, coreType("serviceaccounts"), "n", "default")
	if rec.Action != "updated" || len(live.Secrets) != 2 {
		t.Errorf("%+v, secrets %v", rec, live.Secrets)
	}
	if len(rec.Reasons) != 1 || rec.Reasons[0].Code != report.ExistsDiffers || !*live.AutomountServiceAccountToken {
		t.Errorf("reasons %+v, token %t", rec.Reasons, *live.AutomountServiceAccountToken)
	}
}

// TestRestoredStatus: a status that is asked for is written by a call of its own.
func TestRestoredStatus(t *testing.T) {
	s := kubetest.Start(t)
	s.PutNamespaces("n")
	spec := velerov1.RestoreSpec{RestoreStatus: &velerov1.RestoreStatusSpec{IncludedResources: []string{"pods"}}}
	run := newRun(t, spec, false, restoretest.Stored{Key: "pods n/p", Rest: `,"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"c","image":"i"}]},"status":{"reason":"Kept"}`})
	rec := applyAll(t, newTestApplier(t, s, run), run)["p"]
	live, _ := kubetest.Get[corev1.Pod](s, kube.Pods(), "n", "p")
	if rec.Action != "created" || live.Status.Reason != "Kept" || verbsOf(s, kubetest.On("", kube.Pods())) != "create patch" {
		t.Errorf("%+v, status %+v", rec, live.Status)
	}
}

// TestRefusalsQuoteNoSecret: a webhook may repeat what it refuses.
func TestRefusalsQuoteNoSecret(t *testing.T) {
	s := kubetest.Start(t)
	s.PutJSON(liveObject("Secret", "s", "", `,"data":{"p":"bGl2ZS1zZWNyZXQ="}`))
	s.Refuse(kubetest.On("patch", coreType("secrets")), http.StatusForbidden, metav1.StatusReasonForbidden, "live-secret must not become c3RvcmVkLXNlY3JldA==")
	run := newRun(t, updatePolicy(), false, restoretest.Stored{Key: "secrets n/s", Rest: `,"apiVersion":"v1","kind":"Secret","data":{"p":"c3RvcmVkLXNlY3JldA=="}`})
	rec := applyAll(t, newTestApplier(t, s, run), run)["s"]
	if len(rec.Reasons) != 1 || strings.Contains(rec.Reasons[0].Message, "live-secret") || strings.Contains(rec.Reasons[0].Message, "c3Rv") || !strings.Contains(rec.Reasons[0].Message, "must not become") {
		t.Errorf("%+v", rec)
	}
}

// TestSecondRefusalQuotesNoSecret: what a first attempt found in the cluster is not quoted
// by the second one either, though it is gone by then.
func TestSecondRefusalQuotesNoSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.Start(t, kubetest.WithoutNetwork())
		s.PutJSON(liveObject("Secret", "s", `,"deletionTimestamp":"2026-01-01T00:00:00Z"`, `,"data":{"p":"bGl2ZS1zZWNyZXQ="}`))
		creates := kubetest.On("create", coreType("secrets"))
		s.React(creates, func(kubetest.Request) error {
			if s.Count(creates) == 1 {
				time.AfterFunc(100*time.Millisecond, func() { s.Remove(coreType("secrets"), "n", "s") })
				return nil
			}
			return errors.New("there was live-secret before")
		})
		run := newRun(t, velerov1.RestoreSpec{}, false, restoretest.Stored{Key: "secrets n/s", Rest: `,"apiVersion":"v1","kind":"Secret"`})
		rec := applyAll(t, newTestApplier(t, s, run), run)["s"]
		if rec.Action != "failed" || len(rec.Reasons) != 1 || !strings.Contains(rec.Reasons[0].Message, "there was <masked> before") {
			t.Errorf("%+v", rec)
		}
	})
}

// TestApplyOutage: a server that cannot answer is the activity's to wait for.
func TestApplyOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.Start(t, kubetest.WithoutNetwork())
		s.PutNamespaces("n")
		run := newRun(t, velerov1.RestoreSpec{}, false, storedConfigMaps("o")...)
		a := newTestApplier(t, s, run)
		s.Refuse(kubetest.Any, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "quoted")
		s.SetHealthy(false)
		records, err := a.applyBatch(t.Context(), plan.Range{From: 0, To: len(run.Arc.Members())})
		if err == nil || strings.Contains(err.Error(), "quoted") {
			t.Errorf("%+v, %v", records, err)
		}
	})
}

// TestNamespaceOfTheArchive: a namespace that is missing is made as it was stored, under
// its mapped name, and modified as any object: a rule that fails is told.
func TestNamespaceOfTheArchive(t *testing.T) {
	s := kubetest.Start(t)
	spec := velerov1.RestoreSpec{NamespaceMapping: map[string]string{"n": "m"}}
	run := newRun(t, spec, false, append(storedConfigMaps("a", "b"),
		restoretest.Stored{Key: "namespaces n", Labels: `{"team":"blue"}`, Rest: `,"apiVersion":"v1","kind":"Namespace"`})...)
	run.Changes.Modifiers = "version: v1\nresourceModifierRules:\n- conditions: {groupResource: namespaces}\n  mergePatches:\n  - patchData: '{\"metadata\":{\"labels\":{\"team\":\"red\"}}}'\n" +
		"- conditions: {groupResource: namespaces, resourceNameRegex: ^n$}\n  patches: [{operation: remove, path: /metadata/none}]\n"
	a := newTestApplier(t, s, run)
	a.level = plan.LevelOf("configmaps")
	got := applyAll(t, a, run)
	made, ok := kubetest.Get[corev1.Namespace](s, coreType("namespaces"), "", "m")
	if !ok || made.Labels["team"] != "red" || made.Labels[resource.LabelRestore] != "r" {
		t.Errorf("%t %+v", ok, made)
	}
	if n := s.Count(kubetest.On("create", coreType("namespaces"))); n != 1 {
		t.Errorf("%d creates of one namespace", n)
	}
	for _, name := range []string{"a", "b"} {
		if got[name].Action != "created" || got[name].Namespace != "m" {
			t.Errorf("%+v", got[name])
		}
	}
	rec := got[""]
	if !slices.Equal(rec.Modifiers, []int{0, 1}) || len(rec.Reasons) != 1 || rec.Reasons[0].Code != report.ModifierFailed || rec.Reasons[0].Object() != "namespaces m" {
		t.Errorf("%+v", rec)
	}
	var result contract.ApplyResult
	if restore.Tally(&result, slices.Collect(maps.Values(got))); result.Counts != (contract.Counts{Created: 2}) || result.Errors != 1 {
		t.Errorf("%+v", result)
	}
}

// TestClusterScopedObject: what lies in no namespace needs none.
func TestClusterScopedObject(t *testing.T) {
	s := kubetest.Start(t)
	roles := kube.Resource{Group: "rbac.authorization.k8s.io", Version: "v1", Name: "clusterroles"}
	s.Refuse(kubetest.On("create", roles), http.StatusNotFound, metav1.StatusReasonNotFound, "no such path")
	run := newRun(t, velerov1.RestoreSpec{}, false, restoretest.Stored{Key: "clusterroles.rbac.authorization.k8s.io o", Rest: `,"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole"`})
	rec := applyAll(t, newTestApplier(t, s, run), run)["o"]
	if rec.Action != "failed" || !slices.Equal(reasonWords(rec.Reasons), []string{"APPLY_FAILED error"}) || verbsOf(s, kubetest.Any) != "create create" {
		t.Errorf("%+v after %s", rec, verbsOf(s, kubetest.Any))
	}
}

// TestTerminatingNamespaceObject: a Namespace that is itself restored, and is being
// deleted, is waited for, and then made.
func TestTerminatingNamespaceObject(t *testing.T) {
	t.Parallel()
	s := kubetest.Start(t)
	s.PutJSON(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n","deletionTimestamp":"2026-01-01T00:00:00Z"}}`)
	time.AfterFunc(200*time.Millisecond, func() { s.Remove(coreType("namespaces"), "", "n") })
	run := newRun(t, velerov1.RestoreSpec{}, false, restoretest.Stored{Key: "namespaces n", Rest: `,"apiVersion":"v1","kind":"Namespace"`})
	if rec := applyAll(t, newTestApplier(t, s, run), run)["n"]; rec.Action != "created" || len(rec.Reasons) > 0 {
		t.Errorf("%+v", rec)
	}
}

// TestClaimFilledFromASnapshot: the snapshot that fills a claim is made before it, and
// found by a repeat.
func TestClaimFilledFromASnapshot(t *testing.T) {
	s := kubetest.Start(t)
	s.PutNamespaces("n")
	s.Refuse(kubetest.On("create", coreType("persistentvolumeclaims")).Times(1), http.StatusForbidden, metav1.StatusReasonForbidden, "exceeded quota")
	run := newClaimRun(t, false)
	rec := applyAll(t, newTestApplier(t, s, run), run)["c"]
	made := verbsOf(s, func(q kubetest.Request) bool { return q.Verb == "create" })
	claim, _ := kubetest.Get[corev1.PersistentVolumeClaim](s, coreType("persistentvolumeclaims"), "n", "c")
	if rec.Action != "created" || made != "create create create create create create" || claim.Spec.DataSource == nil || claim.Spec.DataSource.Name != "snap" {
		t.Errorf("%+v, requests %s, claim %+v", rec, made, claim.Spec)
	}
	var order []string
	for _, q := range s.Requests() {
		order = append(order, q.Verb+" "+q.Resource)
	}
	want := []string{"create volumesnapshotcontents.snapshot.storage.k8s.io", "create volumesnapshots.snapshot.storage.k8s.io", "create persistentvolumeclaims"}
	if !slices.Equal(order[:3], want) {
		t.Errorf("%v", order)
	}
}

// newClaimRun is the restore of a claim "c" that is filled from a snapshot.
func newClaimRun(t *testing.T, dryRun bool) *restore.Run {
	t.Helper()
	run := newRun(t, velerov1.RestoreSpec{}, dryRun, restoretest.Stored{Key: "persistentvolumeclaims n/c", Rest: `,"apiVersion":"v1","kind":"PersistentVolumeClaim","spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}`})
	run.Plan.Volumes = &restore.Volumes{Volumes: []volume.Restore{{
		Namespace: "n", Claim: "c", Target: "n", Disposition: volume.ProvisionBy(volume.MethodCSI), Selected: true, Class: "fast", Capacity: 1 << 30,
		Snapshot: &volume.SnapshotPlan{Name: "snap", Handle: "snap-1", Driver: "d"},
	}}}
	run.Index = run.Plan.Volumes.Index()
	return run
}

// TestPlannedClaim: a dry run says of what the claim's volume would be made.
func TestPlannedClaim(t *testing.T) {
	s := kubetest.Start(t)
	run := newClaimRun(t, true)
	rec := applyAll(t, newTestApplier(t, s, run), run)["c"]
	if rec.Action != restore.PlanCreate || rec.Reason != "a new volume of class fast and at least 1 GiB, of snapshot snap-1" {
		t.Errorf("%+v", rec)
	}
}

// TestPlannedObjects: a dry run says what would be done, and reads only.
func TestPlannedObjects(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spec    velerov1.RestoreSpec
		stored  restoretest.Stored
		live    string
		answers func(*kubetest.Server)
		action  string
		reason  string
		reasons []string
		diff    string // path and sides
		calls   string
	}{
		"missing": {action: restore.PlanCreate, calls: "get", diff: `metadata.labels["velero.io/restore-name"]   r`},
		"equal":   {live: liveObject("ConfigMap", "o", "", sameData), action: restore.PlanNone, reason: "already there, equal", calls: "get"},
		"different": {
			live: liveObject("ConfigMap", "o", "", otherData), action: restore.PlanSkip, reason: "EXISTS_DIFFERS",
			reasons: []string{"EXISTS_DIFFERS warning"}, calls: "get", diff: "data.k v other other",
		},
		"update":                {spec: updatePolicy(), live: liveObject("ConfigMap", "o", "", otherData), action: restore.PlanUpdate, calls: "get", diff: "data.k v other v"},
		"made by a restore":     {live: liveObject("ConfigMap", "o", restoreLabels, sameData), action: restore.PlanNone, reason: "already there, equal", calls: "get"},
		"cannot be decoded":     {stored: restoretest.Stored{Key: "configmaps n/o", Rest: `,"data":{"k":1e999}`}, action: restore.PlanFail, reasons: []string{"OBJECT_INVALID error"}},
		"a type that is absent": {stored: restoretest.Stored{Key: "widgets.example.com n/o", Rest: `,"apiVersion":"example.com/v1","kind":"Widget"`}, action: restore.PlanFail, reasons: []string{"TYPE_NOT_SERVED error"}},
		"unreadable": {
			answers: func(s *kubetest.Server) {
				s.Refuse(kubetest.On("get", kube.ConfigMaps()), http.StatusForbidden, metav1.StatusReasonForbidden, "may not get")
			},
			action: restore.PlanFail, reasons: []string{"FORBIDDEN error"}, calls: "get get get",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := kubetest.Start(t, kubetest.WithoutNetwork())
				if tt.live != "" {
					s.PutJSON(tt.live)
				}
				if tt.answers != nil {
					tt.answers(s)
				}
				if tt.stored.Key == "" {
					tt.stored = storedConfigMaps("o")[0]
				}
				run := newRun(t, tt.spec, true, tt.stored)
				rec := applyAll(t, newTestApplier(t, s, run), run)["o"]
				if rec.Action != tt.action || rec.Reason != tt.reason || !slices.Equal(reasonWords(rec.Reasons), tt.reasons) {
					t.Errorf("%+v", rec)
				}
				if got := verbsOf(s, kubetest.Any); got != tt.calls {
					t.Errorf("calls %q, want %q", got, tt.calls)
				}
				if existed := tt.live != ""; existed != (rec.Live != "") {
					t.Errorf("live %q", rec.Live)
				}
				if tt.diff != "" && !strings.Contains(diffWords(rec.Diff), tt.diff) {
					t.Errorf("differences %q, want %q", diffWords(rec.Diff), tt.diff)
				}
			})
		})
	}
}

func diffWords(rows []compare.FieldDiff) string {
	var words []string
	for _, row := range rows {
		words = append(words, strings.TrimSpace(row.Path+" "+textOf(row.Backup)+" "+textOf(row.Live)+" "+textOf(row.Result)))
	}
	return strings.Join(words, "; ")
}

func textOf(value any) string {
	text, _ := value.(string)
	return text
}

// TestStatedClusterIP: an address that a manifest states is asked for, and let go with a
// warning only where the server does not give it.
func TestStatedClusterIP(t *testing.T) {
	stored := restoretest.Stored{
		Key: "services n/dns", Rest: `,"apiVersion":"v1","kind":"Service","spec":{"clusterIP":"10.0.0.53","clusterIPs":["10.0.0.53"],"ports":[{"port":53}]}`,
		Meta: `,"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"spec\":{\"clusterIP\":\"10.0.0.53\"}}"}`,
	}
	services := coreType("services")
	for name, tt := range map[string]struct {
		taken   bool
		live    string
		action  string
		want    string
		reasons []string
	}{
		"free":  {false, "", "created", "10.0.0.53", nil},
		"taken": {true, "", "created", "", []string{"CLUSTER_IP_RELEASED warning"}},
		"there already": {
			true, liveObject("Service", "dns", stored.Meta, `,"spec":{"clusterIP":"10.0.0.53","ports":[{"port":53}]}`),
			"skipped", "10.0.0.53", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubetest.Start(t)
			s.PutNamespaces("n")
			if tt.live != "" {
				s.PutJSON(tt.live)
			}
			s.React(kubetest.On("create", services), func(q kubetest.Request) error {
				if tt.taken && strings.Contains(string(q.Body), `"clusterIP"`) {
					return &kube.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: 422, Reason: metav1.StatusReasonInvalid, Message: "spec.clusterIPs: Invalid value: failed to allocate IP 10.0.0.53: provided IP is already allocated"}}
				}
				return nil
			})
			run := newRun(t, velerov1.RestoreSpec{}, false, stored)
			rec := applyAll(t, newTestApplier(t, s, run), run)["dns"]
			live, _ := kubetest.Get[corev1.Service](s, services, "n", "dns")
			if rec.Action != tt.action || live.Spec.ClusterIP != tt.want || !slices.Equal(reasonWords(rec.Reasons), tt.reasons) {
				t.Errorf("%+v, address %q", rec, live.Spec.ClusterIP)
			}
		})
	}
}
