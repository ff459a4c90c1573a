package apply

import (
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

// TestPasses: what comes before the others of its level is applied in a pass of its own, and
// every object in exactly one.
func TestPasses(t *testing.T) {
	service := func(name, meta, spec string) restoretest.Stored {
		return restoretest.Stored{Key: "services n/" + name, Meta: meta, Rest: `,"apiVersion":"v1","kind":"Service","spec":{` + spec + `}`}
	}
	applied := func(text string) string {
		return `,"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"` + text + `"}`
	}
	widget := func(name, owner string) restoretest.Stored {
		return restoretest.Stored{Key: "widgets.example.com n/" + name, Meta: owner, Rest: `,"apiVersion":"example.com/v1","kind":"Widget"`}
	}
	owner := func(apiVersion, more string) string {
		return `,"ownerReferences":[{"apiVersion":"` + apiVersion + `","kind":"Owner","name":"o","uid":"u"` + more + `}]`
	}
	objs := []restoretest.Stored{
		service("drawn", "", `"type":"NodePort","ports":[{"port":80,"nodePort":30001}],"clusterIP":"10.0.0.1"`),
		service("stated-port", applied(`{\"spec\":{\"ports\":[{\"port\":80,\"nodePort\":30002}]}}`), `"type":"NodePort","ports":[{"port":80,"nodePort":30002}]`),
		service("stated-address", applied(`{\"spec\":{\"clusterIP\":\"10.0.0.2\"}}`), `"ports":[{"port":80}],"clusterIP":"10.0.0.2"`),
		service("headless", applied(`{\"spec\":{\"clusterIP\":\"None\"}}`), `"ports":[{"port":80}],"clusterIP":"None"`),
		widget("free", ""), widget("owned", owner("example.com/v1", "")), widget("of-a-pod", owner("v1", `,"controller":true`)),
		widget("of-an-app", owner("apps/v1", `,"controller":true`)), widget("controlled", owner("other.example.com/v1", `,"controller":true`)),
	}
	first := map[string]bool{"stated-port": true, "stated-address": true, "controlled": true}
	s := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: kube.Resource{Group: "example.com", Version: "v1", Name: "widgets", Kind: "Widget", Namespaced: true}}))
	s.PutNamespaces("n")
	run := newRun(t, velerov1.RestoreSpec{}, false, objs...)
	seen := map[string]int{}
	for _, level := range []plan.Level{plan.Services, plan.CustomResources} {
		for _, pass := range []plan.Pass{plan.FirstObjects, plan.OtherObjects} {
			a := newTestApplier(t, s, run)
			a.level, a.pass = level, pass
			for name, rec := range applyAll(t, a, run) {
				seen[name]++
				if rec.Action != "created" || first[name] != (pass == plan.FirstObjects) {
					t.Errorf("pass %s: %s: %+v", pass, name, rec)
				}
			}
		}
	}
	for _, o := range objs {
		if k, _ := o.Split(); seen[k.Name] != 1 {
			t.Errorf("%s: applied %d times", k.Name, seen[k.Name])
		}
	}
}
