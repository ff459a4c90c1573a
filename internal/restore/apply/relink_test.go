package apply

import (
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
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

// ownedSecret is the record of a restored Secret with owners.
func ownedSecret(name string, owners ...string) restore.Record {
	rec := restore.Record{Resource: "secrets", APIVersion: "v1", Kind: "Secret", Namespace: "n", Name: name}
	for _, owner := range owners {
		rec.Owners = append(rec.Owners, resource.OwnerRef{APIVersion: "v1", Kind: "ConfigMap", Name: owner})
	}
	return rec
}

// TestRefusedLinks: an object whose owners the server does not take is a reason, told
// without the Secret that the refusal quotes; one that changed in between is read
// again; all others are linked.
func TestRefusedLinks(t *testing.T) {
	const value = "czNjcjN0LWRvLW5vdC10ZWxs" // in base64, as a policy sees it
	s := kubetest.Start(t)
	patches := kubetest.On("patch", coreType("secrets"))
	s.Refuse(patches.Named("denied"), http.StatusForbidden, metav1.StatusReasonForbidden, "policy denied request: will not have "+value)
	s.Refuse(patches.Named("invalid"), http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "only one controller is allowed")
	s.Refuse(patches.Named("busy").Times(2), http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified")
	s.Refuse(patches.Named("hectic"), http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified")
	s.PutJSON(liveObject("ConfigMap", "owner", "", ""))
	l := newTestLinker(t, s)
	names := []string{"busy", "denied", "hectic", "invalid", "quiet"}
	var refused []string
	for _, name := range names {
		s.PutJSON(liveObject("Secret", name, "", `,"data":{"password":"`+value+`"}`))
		reasons, err := linkOne(t, l, ownedSecret(name, "owner", "other"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(reasons) == 0 || reasons[0].Code != report.OwnerMissing || reasons[0].IsError() {
			t.Fatalf("no word on the owner that is missing: %+v", reasons)
		}
		for _, r := range reasons[1:] {
			refused = append(refused, r.Name)
			if r.Code != report.OwnerRefused || !r.IsError() || strings.Contains(r.Message, value) {
				t.Errorf("%+v", r)
			}
		}
	}
	if want := []string{"denied", "hectic", "invalid"}; !slices.Equal(refused, want) {
		t.Errorf("refused %v, want %v", refused, want)
	}
	for _, name := range names {
		secret, _ := kubetest.Get[corev1.Secret](s, coreType("secrets"), "n", name)
		if linked := len(secret.OwnerReferences) == 1; linked == slices.Contains(refused, name) {
			t.Errorf("%s: owners %v", name, secret.OwnerReferences)
		}
	}
	if n := s.Count(patches.Named("hectic")); n != linkTries {
		t.Errorf("%d tries of an object that keeps changing", n)
	}
}

// TestLinkOutages: only a server that cannot answer is worth the retry of an activity,
// and its error repeats nothing that was said about an object.
func TestLinkOutages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.Start(t, kubetest.WithoutNetwork())
		s.Refuse(kubetest.On("patch", coreType("secrets")), http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "quoted")
		s.PutJSON(liveObject("ConfigMap", "owner", "", ""), liveObject("Secret", "s", "", ""))
		l := newTestLinker(t, s)
		if reasons, err := linkOne(t, l, ownedSecret("s", "owner")); err != nil || !slices.Equal(reasonWords(reasons), []string{"OWNER_REFUSED error"}) {
			t.Errorf("a webhook that does not answer: %v, %+v", err, reasons)
		}
		s.SetHealthy(false)
		if _, err := linkOne(t, l, ownedSecret("s", "owner")); err == nil || strings.Contains(err.Error(), "quoted") {
			t.Errorf("a server that does not answer: %v", err)
		}
	})
}

// TestLinksWaitForWebhooks: a link is an update, which a webhook that is coming up admits
// soon.
func TestLinksWaitForWebhooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.Start(t, kubetest.WithoutNetwork())
		s.PutJSON(liveObject("ConfigMap", "owner", "", ""), liveObject("Secret", "s", "", ""))
		refuseFor(s, kubetest.On("patch", coreType("secrets")), 700*time.Millisecond, 500, webhookDown)
		l := newTestLinker(t, s)
		l.obstacles.patience = func(obstacle) time.Duration { return 2 * time.Second }
		if reasons, err := linkOne(t, l, ownedSecret("s", "owner")); err != nil || len(reasons) > 0 {
			t.Errorf("%+v, %v", reasons, err)
		}
	})
}

// TestLinks: what a link is made of, and what is left alone.
func TestLinks(t *testing.T) {
	s := kubetest.Start(t)
	s.PutJSON(liveObject("ConfigMap", "owner", `,"uid":"u-1"`, ""))
	for name, tt := range map[string]struct {
		live    string // owner references before
		owners  []resource.OwnerRef
		want    string // "kind/name/uid controller block" after
		patches int
		reasons []string
	}{
		"linked": {
			owners: []resource.OwnerRef{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", BlockOwnerDeletion: true}},
			want:   "ConfigMap/owner/u-1 false true", patches: 1,
		},
		"controller": {
			owners: []resource.OwnerRef{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", Controller: true}},
			want:   "ConfigMap/owner/u-1 true false", patches: 1,
		},
		"linked already": {
			live:   `{"apiVersion":"v1","kind":"ConfigMap","name":"owner","uid":"u-1"}`,
			owners: []resource.OwnerRef{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner"}},
			want:   "ConfigMap/owner/u-1 false false",
		},
		"adopted by a controller": {
			live:   `{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u-2","controller":true}`,
			owners: []resource.OwnerRef{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", Controller: true}},
			want:   "Pod/p/u-2 true false",
		},
		"a type that is not served": {
			owners:  []resource.OwnerRef{{APIVersion: "example.com/v1", Kind: "Widget", Name: "w"}},
			reasons: []string{"OWNER_MISSING warning"},
		},
		"an owner that was not restored": {
			owners:  []resource.OwnerRef{{APIVersion: "v1", Kind: "ConfigMap", Name: "lost"}},
			reasons: []string{"OWNER_MISSING warning"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			secret := strings.ReplaceAll(name, " ", "-")
			s.PutJSON(liveObject("Secret", secret, `,"ownerReferences":[`+tt.live+`]`, ""))
			rec := ownedSecret(secret)
			rec.Owners = tt.owners
			reasons, err := linkOne(t, newTestLinker(t, s), rec)
			if err != nil || !slices.Equal(reasonWords(reasons), tt.reasons) {
				t.Errorf("%+v, %v", reasons, err)
			}
			live, _ := kubetest.Get[corev1.Secret](s, coreType("secrets"), "n", secret)
			if got := ownerWords(live.OwnerReferences); got != tt.want {
				t.Errorf("owners %q, want %q", got, tt.want)
			}
			if n := s.Count(kubetest.On("patch", coreType("secrets")).Named(secret)); n != tt.patches {
				t.Errorf("%d patches", n)
			}
		})
	}
	if reasons, err := linkOne(t, newTestLinker(t, s), ownedSecret("gone", "owner")); err != nil || len(reasons) > 0 {
		t.Errorf("an object that is gone again: %+v, %v", reasons, err)
	}
}

// TestLinksAcrossNamespaces: an owner is looked for in the archive where it was, and in
// the cluster where it is now.
func TestLinksAcrossNamespaces(t *testing.T) {
	s := kubetest.Start(t)
	s.PutJSON(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"owner","namespace":"m","uid":"u-1"}}`,
		`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"role","uid":"u-2"}}`,
		`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"m"}}`)
	run := newRun(t, velerov1.RestoreSpec{NamespaceMapping: map[string]string{"n": "m"}}, false, append(storedConfigMaps("owner"),
		restoretest.Stored{Key: "clusterroles.rbac.authorization.k8s.io role", Rest: `,"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole"`})...)
	l, err := newLinker(t.Context(), newTestService(t, s), run)
	if err != nil {
		t.Fatal(err)
	}
	rec := ownedSecret("s", "owner")
	rec.Namespace, rec.From = "m", "n/s"
	rec.Owners = append(rec.Owners, resource.OwnerRef{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "role"})
	if reasons, err := linkOne(t, l, rec); err != nil || len(reasons) > 0 {
		t.Errorf("%+v, %v", reasons, err)
	}
	live, _ := kubetest.Get[corev1.Secret](s, coreType("secrets"), "m", "s")
	if got := ownerWords(live.OwnerReferences); got != "ConfigMap/owner/u-1 false false, ClusterRole/role/u-2 false false" {
		t.Errorf("owners %q", got)
	}
}

// TestLinkAll: only what was restored and has owners is linked, and all is said of it. What
// was skipped is linked if this backup's label says that a restore before has brought it.
func TestLinkAll(t *testing.T) {
	s := kubetest.Start(t)
	s.PutJSON(liveObject("ConfigMap", "owner", "", ""))
	run := newRun(t, velerov1.RestoreSpec{}, false, storedConfigMaps("owner")...)
	run.Archive.Backup = "b"
	actions := map[string]report.Action{"created": report.Created, "updated": report.Updated, "failed": report.Failed, "skipped": report.Skipped, "before": report.Skipped, "free": report.Created}
	var records []restore.Record
	for name, done := range actions {
		labels := map[bool]string{true: `,"labels":{"velero.io/backup-name":"b"}`}[name == "before"]
		s.PutJSON(liveObject("Secret", name, labels, ""))
		rec := ownedSecret(name, "owner", "other")
		rec.Action = string(done)
		if name == "free" {
			rec.Owners = nil
		}
		records = append(records, rec)
	}
	if err := run.PutRecords(t.Context(), contract.ApplyTaskInput{}, 0, records); err != nil {
		t.Fatal(err)
	}
	l, err := newLinker(t.Context(), newTestService(t, s), run)
	if err == nil {
		err = l.linkAll(t.Context())
	}
	if err != nil || !slices.Equal(reasonWords(l.reasons), []string{"OWNER_MISSING warning", "OWNER_MISSING warning", "OWNER_MISSING warning"}) {
		t.Errorf("%+v, %v", l.reasons, err)
	}
	for name := range actions {
		secret, _ := kubetest.Get[corev1.Secret](s, coreType("secrets"), "n", name)
		if linked := len(secret.OwnerReferences) == 1; linked != (name == "created" || name == "updated" || name == "before") {
			t.Errorf("%s: owners %v", name, secret.OwnerReferences)
		}
	}
}

func ownerWords(refs []metav1.OwnerReference) string {
	var words []string
	for _, ref := range refs {
		set := func(b *bool) string {
			if b != nil && *b {
				return "true"
			}
			return "false"
		}
		words = append(words, ref.Kind+"/"+ref.Name+"/"+string(ref.UID)+" "+set(ref.Controller)+" "+set(ref.BlockOwnerDeletion))
	}
	return strings.Join(words, ", ")
}

func newTestLinker(t *testing.T, s *kubetest.Server) *linker {
	t.Helper()
	run := newRun(t, velerov1.RestoreSpec{}, false, storedConfigMaps("owner", "lost")...)
	l, err := newLinker(t.Context(), newTestService(t, s), run)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// linkOne links one object and gives what is to be said of it.
func linkOne(t *testing.T, l *linker, rec restore.Record) ([]report.Reason, error) {
	t.Helper()
	l.reasons = nil
	err := l.linkObject(t.Context(), rec)
	return l.reasons, err
}
