package apply

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

// TestCopyBesideTheOriginal: a restore into another namespace, with whatever policy, takes
// nothing from the namespace that it copies while that is there.
func TestCopyBesideTheOriginal(t *testing.T) {
	const (
		binding = `,"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"kind":"ServiceAccount","name":"app","namespace":"shop"}]`
		hook    = `,"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","webhooks":[{"name":"w.example.com","clientConfig":{"service":{"name":"w","namespace":"shop"}},"sideEffects":"None","admissionReviewVersions":["v1"]}]`
	)
	const (
		api        = `,"apiVersion":"apiregistration.k8s.io/v1","kind":"APIService","spec":{"group":"example.com","version":"v1","groupPriorityMinimum":1,"versionPriority":1,"service":{"name":"w","namespace":"shop"}}`
		definition = `,"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"os","kind":"O"},"versions":[{"name":"v1","served":true,"storage":true}],"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],"clientConfig":{"service":{"name":"w","namespace":"shop"}}}}}`
	)
	apis := kube.Resource{Group: "apiregistration.k8s.io", Version: "v1", Name: "apiservices", Kind: "APIService"}
	definitions := kube.Resource{Group: "apiextensions.k8s.io", Version: "v1", Name: "customresourcedefinitions", Kind: "CustomResourceDefinition"}
	hooks := kube.Resource{Group: "admissionregistration.k8s.io", Version: "v1", Name: "validatingwebhookconfigurations", Kind: "ValidatingWebhookConfiguration"}
	bindings := kube.Resource{Group: "rbac.authorization.k8s.io", Version: "v1", Name: "clusterrolebindings", Kind: "ClusterRoleBinding"}
	for name, tt := range map[string]struct {
		key, body string
		live      string // body, if empty
		gone      bool   // the original namespace
		dryRun    bool
		none      bool // the policy
		action    string
		reasons   []string
		words     string // of the first reason
		subjects  string
		service   string
		of        kube.Resource // hooks, if empty
	}{
		"binding":                       {key: "clusterrolebindings.rbac.authorization.k8s.io o", body: binding, action: "updated", subjects: "shop copy"},
		"binding, planned":              {key: "clusterrolebindings.rbac.authorization.k8s.io o", body: binding, dryRun: true, action: restore.PlanUpdate, subjects: "shop"},
		"binding, policy none":          {key: "clusterrolebindings.rbac.authorization.k8s.io o", body: binding, none: true, action: "skipped", reasons: []string{"EXISTS_DIFFERS warning"}, words: "it does not bind ServiceAccount copy/app, and existingResourcePolicy is none", subjects: "shop"},
		"binding of both":               {key: "clusterrolebindings.rbac.authorization.k8s.io o", body: binding, live: strings.Replace(binding, `}]`, `},{"kind":"ServiceAccount","name":"app","namespace":"copy"}]`, 1), action: "skipped", subjects: "shop copy"},
		"webhook":                       {key: hooks.GroupResource() + " o", body: hook, action: "skipped", reasons: []string{"EXISTS_DIFFERS warning"}, service: "shop"},
		"webhook, planned":              {key: hooks.GroupResource() + " o", body: hook, dryRun: true, action: restore.PlanSkip, reasons: []string{"EXISTS_DIFFERS warning"}, service: "shop"},
		"aggregated API":                {key: apis.GroupResource() + " o", body: api, action: "skipped", reasons: []string{"EXISTS_DIFFERS warning"}, service: "shop", of: apis},
		"aggregated API, original gone": {key: apis.GroupResource() + " o", body: api, gone: true, action: "updated", service: "copy", of: apis},
		"conversion":                    {key: definitions.GroupResource() + " o", body: definition, action: "skipped", reasons: []string{"EXISTS_DIFFERS warning"}, service: "shop", of: definitions},
		"conversion, original is gone":  {key: definitions.GroupResource() + " o", body: definition, gone: true, action: "updated", service: "copy", of: definitions},
		// Its name contains that of a mapped namespace which is there.
		"webhook whose text has another": {key: hooks.GroupResource() + " o", body: strings.Replace(hook, `"w.example.com"`, `"app.example.com"`, 1), gone: true, action: "updated", service: "copy"},
		"webhook, original is gone":      {key: hooks.GroupResource() + " o", body: hook, gone: true, action: "updated", service: "copy"},
		"webhook of no one's copies":     {key: hooks.GroupResource() + " o", body: strings.ReplaceAll(hook, `"shop"`, `"other"`), live: strings.ReplaceAll(hook, `"shop"`, `"third"`), action: "updated", service: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: hooks}, kubetest.Type{Resource: bindings}, kubetest.Type{Resource: apis}))
			if s.PutNamespaces("copy", "app"); !tt.gone {
				s.PutNamespaces("shop")
			}
			if tt.live == "" {
				tt.live = tt.body
			}
			s.PutJSON(`{"metadata":{"name":"o"}` + tt.live + `}`)
			spec := updatePolicy()
			if tt.none {
				spec.ExistingResourcePolicy = velerov1.PolicyTypeNone
			}
			spec.NamespaceMapping = map[string]string{"shop": "copy", "app": "app2"}
			run := newRun(t, spec, tt.dryRun, restoretest.Stored{Key: tt.key, Rest: tt.body})
			rec := applyAll(t, newTestApplier(t, s, run), run)["o"]
			if rec.Action != tt.action || !slices.Equal(reasonWords(rec.Reasons), tt.reasons) {
				t.Errorf("%+v", rec)
			}
			if tt.words != "" && !strings.Contains(rec.Reasons[0].Message, tt.words) {
				t.Errorf("%+v", rec.Reasons)
			}
			if tt.subjects != "" {
				live, _ := kubetest.Get[rbacv1.ClusterRoleBinding](s, bindings, "", "o")
				var got []string
				for _, subject := range live.Subjects {
					got = append(got, subject.Namespace)
				}
				if strings.Join(got, " ") != tt.subjects {
					t.Errorf("subjects of %v, want %s", got, tt.subjects)
				}
			}
			if tt.of.Name == "" {
				tt.of = hooks
			}
			if tt.service != "" && !strings.Contains(liveText(s, tt.of, ""), `"namespace":"`+tt.service+`"`) {
				t.Errorf("does not serve %s", tt.service)
			}
		})
	}
}

// TestStatusOfExisting: a status that is asked for comes back where objects are updated,
// whether the rest of them differs or not, and stays as it is where they are not.
func TestStatusOfExisting(t *testing.T) {
	widgets := kube.Resource{Group: "example.com", Version: "v1", Name: "widgets", Kind: "Widget", Namespaced: true}
	const object = `,"apiVersion":"example.com/v1","kind":"Widget","spec":{"size":1},"status":{"id":"AAA"}`
	for name, tt := range map[string]struct {
		update       bool
		subresource  bool
		size, id     string
		action       string
		wantID, plan string
	}{
		"equal but for its status":              {true, true, "1", "BBB", "updated", "AAA", restore.PlanUpdate},
		"different":                             {true, true, "2", "BBB", "updated", "AAA", restore.PlanUpdate},
		"equal":                                 {true, true, "1", "AAA", "skipped", "AAA", restore.PlanNone},
		"a status that is data":                 {true, false, "1", "BBB", "updated", "AAA", restore.PlanUpdate},
		"equal but for its status, policy none": {false, true, "1", "BBB", "skipped", "BBB", restore.PlanNone},
		"different, policy none":                {false, true, "2", "BBB", "skipped", "BBB", restore.PlanSkip},
	} {
		for _, dryRun := range []bool{true, false} {
			s := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: widgets, Status: tt.subresource}))
			s.PutNamespaces("n")
			s.PutJSON(`{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"o","namespace":"n"},"spec":{"size":` + tt.size + `},"status":{"id":"` + tt.id + `"}}`)
			spec := velerov1.RestoreSpec{RestoreStatus: &velerov1.RestoreStatusSpec{IncludedResources: []string{"widgets.example.com"}}}
			if tt.update {
				spec.ExistingResourcePolicy = velerov1.PolicyTypeUpdate
			}
			run := newRun(t, spec, dryRun, restoretest.Stored{Key: "widgets.example.com n/o", Rest: object})
			rec := applyAll(t, newTestApplier(t, s, run), run)["o"]
			want, id := tt.action, tt.wantID
			if dryRun {
				want, id = tt.plan, tt.id
			}
			if live := liveText(s, widgets, "n"); rec.Action != want || !strings.Contains(live, `"id":"`+id+`"`) {
				t.Errorf("%s, dry run %t: %+v, live %s", name, dryRun, rec, live)
			}
		}
	}
}

// liveText is the object "o" as JSON.
func liveText(s *kubetest.Server, r kube.Resource, namespace string) string {
	o, _ := kubetest.Get[json.RawMessage](s, r, namespace, "o")
	return string(o)
}
