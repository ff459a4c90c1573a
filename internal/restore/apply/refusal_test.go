package apply

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

// TestRefusalCodes: texts of a real API server, and the code whose next step mends the cause.
func TestRefusalCodes(t *testing.T) {
	for _, tt := range []struct {
		status int32
		reason metav1.StatusReason
		text   string
		want   report.Code
	}{
		{403, "Forbidden", `pods is forbidden: User "lifeboat" cannot create resource "pods" in API group "" in the namespace "n"`, report.Forbidden},
		{403, "Forbidden", `roles.rbac.authorization.k8s.io "r" is forbidden: user "lifeboat" is attempting to grant RBAC permissions not currently held`, report.Forbidden},
		{403, "Forbidden", `pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5`, report.QuotaExceeded},
		{403, "Forbidden", `pods "p" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false`, report.WebhookDenied},
		{403, "Forbidden", `pods "p" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi`, report.ObjectRejected},
		{403, "Forbidden", `persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi`, report.ObjectRejected},
		{403, "Forbidden", `pods "p" is forbidden: error looking up service account n/app: serviceaccount "app" not found`, report.ApplyFailed},
		{422, "Invalid", `pods "p" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: no image may be latest`, report.WebhookDenied},
		{403, "Forbidden", `pods "p" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: no`, report.WebhookDenied},
		{401, "Unauthorized", `pods "p" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: no`, report.WebhookDenied},
		{400, "BadRequest", `admission webhook "w.example.com" denied the request: no`, report.WebhookDenied},
		{500, "InternalError", webhookDown, report.WebhookDenied},
		{500, "", `conversion webhook for example.com/v1, Kind=Widget failed: Post "https://w.n.svc:443/": connection refused`, report.WebhookDenied},
		{422, "Invalid", `Pod "p" is invalid: spec.containers[1].name: Duplicate value: "proxy"`, report.ObjectRejected},
		{500, "InternalError", `Internal error occurred: etcdserver: request timed out`, report.ApplyFailed},
	} {
		err := fmt.Errorf("create: %w", &kube.StatusError{ErrStatus: metav1.Status{Code: tt.status, Reason: tt.reason, Message: tt.text}})
		if got := refusalCode(err); got != tt.want {
			t.Errorf("%s, want %s: %s", got, tt.want, tt.text)
		}
		if kube.IsUnauthorized(err) {
			t.Errorf("an outage: %s", tt.text)
		}
	}
	if got := refusalCode(errors.New("other")); got != report.ApplyFailed {
		t.Errorf("%s", got)
	}
}

// TestRefusedPodsOfControllers: a pod that admission refuses is no error where its restored
// controller makes another.
func TestRefusedPodsOfControllers(t *testing.T) {
	const spec = `,"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"c","image":"i"}]}`
	owner := func(name string) string {
		return `,"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"` + name + `","uid":"u","controller":true}]`
	}
	s := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: kube.Resource{Group: "apps", Version: "v1", Name: "replicasets", Kind: "ReplicaSet", Namespaced: true}}))
	s.PutNamespaces("n")
	s.Refuse(kubetest.On("create", kube.Pods()), http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, `spec.containers[1].name: Duplicate value: "proxy"`)
	run := newRun(t, velerov1.RestoreSpec{}, false,
		restoretest.Stored{Key: "pods n/controlled", Meta: owner("there"), Rest: spec},
		restoretest.Stored{Key: "pods n/orphan", Meta: owner("lost"), Rest: spec},
		restoretest.Stored{Key: "pods n/free", Rest: spec},
		restoretest.Stored{Key: "replicasets.apps n/there", Rest: `,"apiVersion":"apps/v1","kind":"ReplicaSet"`})
	records := applyAll(t, newTestApplier(t, s, run), run)
	for name, want := range map[string][]string{
		"controlled": {"skipped", "OBJECT_REJECTED warning"}, "orphan": {"failed", "OBJECT_REJECTED error"}, "free": {"failed", "OBJECT_REJECTED error"},
	} {
		if rec := records[name]; !slices.Equal(append([]string{rec.Action}, reasonWords(rec.Reasons)...), want) {
			t.Errorf("%s: %+v", name, rec)
		}
	}
	if text := records["controlled"].Reasons[0].Message; !strings.Contains(text, "its controller ReplicaSet there") || !strings.Contains(text, "Duplicate value") {
		t.Error(text)
	}
}

// TestOwnersThatAdoptByThemselves: what CloudNativePG would adopt after a restore is left
// without owner, or it would not look at it.
func TestOwnersThatAdoptByThemselves(t *testing.T) {
	clusters := kube.Resource{Group: "postgresql.cnpg.io", Version: "v1", Name: "clusters", Kind: "Cluster", Namespaced: true}
	s := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: clusters}))
	s.PutJSON(`{"apiVersion":"postgresql.cnpg.io/v1","kind":"Cluster","metadata":{"name":"db","namespace":"n"}}`, liveObject("Secret", "s", "", ""))
	run := newRun(t, velerov1.RestoreSpec{}, false, restoretest.Stored{Key: "clusters.postgresql.cnpg.io n/db"})
	l, err := newLinker(t.Context(), newTestService(t, s), run)
	if err != nil {
		t.Fatal(err)
	}
	rec := restore.Record{
		Resource: "secrets", APIVersion: "v1", Kind: "Secret", Namespace: "n", Name: "s",
		Owners: []resource.OwnerRef{{APIVersion: "postgresql.cnpg.io/v1", Kind: "Cluster", Name: "db", Controller: true}},
	}
	reasons, err := linkOne(t, l, rec)
	live, _ := kubetest.Get[corev1.Secret](s, coreType("secrets"), "n", "s")
	if err != nil || len(reasons) > 0 || len(live.OwnerReferences) > 0 {
		t.Errorf("%v, %+v, owners %v", err, reasons, live.OwnerReferences)
	}
}
