package resource

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Work that had ended does not begin again: of types that are known to be work the object
// is skipped, of others it is told. What goes on, and what keeps its status, is restored.
func TestWorkThatHadEnded(t *testing.T) {
	for name, tc := range map[string]struct {
		resource, status string
		skip, warn       bool
		change           func(*Context)
	}{
		"restore of a database":              {resource: "perconaxtradbclusterrestores.pxc.percona.com", status: `{"state":"Succeeded"}`, skip: true},
		"restore that runs":                  {resource: "perconaxtradbclusterrestores.pxc.percona.com", status: `{"state":"Restoring"}`},
		"restore of another operator":        {resource: "restores.k8s.mariadb.com", status: `{"conditions":[{"type":"Complete","status":"True"}]}`, skip: true},
		"pipeline":                           {resource: "pipelineruns.tekton.dev", status: `{"completionTime":"2026-01-02T03:04:05Z","conditions":[{"type":"Succeeded","status":"False"}]}`, skip: true},
		"workflow":                           {resource: "workflows.argoproj.io", status: `{"phase":"Error"}`, skip: true},
		"backup of a database":               {resource: "backups.postgresql.cnpg.io", status: `{"phase":"completed","stoppedAt":"2026-01-02T03:04:05Z"}`, skip: true},
		"certificate that was issued":        {resource: "certificaterequests.cert-manager.io", status: `{"conditions":[{"type":"Ready","status":"True"}]}`, skip: true},
		"order that was valid":               {resource: "orders.acme.cert-manager.io", status: `{"state":"valid"}`, skip: true},
		"restore that was rejected":          {resource: "perconaservermongodbrestores.psmdb.percona.com", status: `{"state":"rejected"}`, skip: true},
		"order that failed":                  {resource: "orders.acme.cert-manager.io", status: `{"state":"errored","failureTime":"2026-01-02T03:04:05Z"}`, skip: true},
		"challenge that failed":              {resource: "challenges.acme.cert-manager.io", status: `{"state":"errored","processing":false}`, skip: true},
		"request that was denied":            {resource: "certificaterequests.cert-manager.io", status: `{"conditions":[{"type":"Denied","status":"True"},{"type":"Ready","status":"False","reason":"Denied"}]}`, skip: true},
		"request that cannot be met":         {resource: "certificaterequests.cert-manager.io", status: `{"conditions":[{"type":"InvalidRequest","status":"True"}]}`, skip: true},
		"request that failed":                {resource: "certificaterequests.cert-manager.io", status: `{"failureTime":"2026-01-02T03:04:05Z","conditions":[{"type":"Ready","status":"False","reason":"Failed"}]}`, skip: true},
		"request that waits":                 {resource: "certificaterequests.cert-manager.io", status: `{"conditions":[{"type":"Approved","status":"True"},{"type":"Ready","status":"False","reason":"Pending"}]}`},
		"job of Ray":                         {resource: "rayjobs.ray.io", status: `{"jobStatus":"SUCCEEDED"}`, skip: true},
		"job of Spark":                       {resource: "sparkapplications.sparkoperator.k8s.io", status: `{"applicationState":{"state":"COMPLETED"}}`, skip: true},
		"type that nobody listed":            {resource: "imports.example.com", status: `{"phase":"Completed"}`, warn: true},
		"type with a time of its end":        {resource: "imports.example.com", status: `{"finishTime":"2026-01-02T03:04:05Z"}`, warn: true},
		"type that was done":                 {resource: "imports.example.com", status: `{"state":"Done"}`, warn: true},
		"type with a condition":              {resource: "imports.example.com", status: `{"conditions":[{"type":"Finished","status":"True"}]}`, warn: true},
		"type whose condition is not so yet": {resource: "imports.example.com", status: `{"conditions":[{"type":"Finished","status":"False"}]}`},
		"a database that is ready":           {resource: "databases.example.com", status: `{"state":"ready","conditions":[{"type":"Ready","status":"True"}]}`},
		"no status":                          {resource: "workflows.argoproj.io", status: `{}`},
		"built in":                           {resource: "pods", status: `{"phase":"Pending"}`},
		"with its status": {
			resource: "workflows.argoproj.io", status: `{"phase":"Succeeded"}`,
			change: func(c *Context) { c.RestoreStatus = func(string) bool { return true } },
		},
		"whose status is data": {
			resource: "imports.example.com", status: `{"phase":"Completed"}`,
			change: func(c *Context) { c.StatusSubresource = func(string, string) bool { return false } },
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Context{}
			if tc.change != nil {
				tc.change(c)
			}
			out, err := NewRegistry().Restore(c, tc.resource, object(t, `{"apiVersion":"x/v1","metadata":{"name":"a","namespace":"n"},"status":`+tc.status+`}`))
			if err != nil {
				t.Fatal(err)
			}
			warned := len(out.Warnings) == 1 && out.Warnings[0].Code == report.MayRunAgain
			if (out.Skip.Code == report.Finished) != tc.skip || warned != tc.warn {
				t.Errorf("skip %+v, warnings %+v", out.Skip, out.Warnings)
			}
		})
	}
}

func TestMachinesAndAddressesAreNotRestored(t *testing.T) {
	for _, resource := range []string{"nodeclaims.karpenter.sh", "cninodes.vpcresources.k8s.aws", "ciliumendpoints.cilium.io", "policyendpoints.networking.k8s.aws", "ipamblocks.crd.projectcalico.org"} {
		out, err := NewRegistry().Restore(&Context{}, resource, object(t, `{"metadata":{"name":"x"}}`))
		if err != nil || out.Skip.Code != report.NotRestorable {
			t.Errorf("%s: %+v, %v", resource, out, err)
		}
	}
	for _, resource := range []string{"nodepools.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws"} {
		if out, err := NewRegistry().Restore(&Context{}, resource, object(t, `{"metadata":{"name":"x"}}`)); err != nil || out.Skipped() {
			t.Errorf("%s: %+v, %v", resource, out, err)
		}
	}
}

// A custom resource of a Pod that is not restored is told, and its owner is not looked for.
func TestCustomResourcesOfPods(t *testing.T) {
	const owners = `{"apiVersion":"v1","kind":"Pod","name":"web","uid":"u"},{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"d"}`
	for name, tc := range map[string]struct {
		resource string
		has      []string
		warned   bool
	}{
		"pod is lost":     {resource: "endpoints.cni.example.com", warned: true},
		"pod is restored": {resource: "endpoints.cni.example.com", has: []string{"pods/n/web"}},
		"built in":        {resource: "configmaps"},
	} {
		c := goldenContext{Has: tc.has}.context()
		out, err := NewRegistry().Restore(c, tc.resource, object(t, `{"metadata":{"name":"x","namespace":"n","ownerReferences":[`+owners+`]},"data":{"k":"v"}}`))
		warned := len(out.Warnings) == 1 && out.Warnings[0].Code == report.OfLostPod
		if err != nil || out.Skipped() || warned != tc.warned || len(out.Owners) != map[bool]int{true: 1, false: 2}[tc.warned] {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}
