package reference_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/reference"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/rehearsaltest"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

const namespace = `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}}`

// pod is a Pod of namespace n with a spec.
func pod(spec string) string {
	return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n","labels":{"app":"p"}},"spec":{"containers":[{"name":"c"}],` + spec + `}}`
}

// object is an object of namespace n, or of none.
func object(apiVersion, kind, namespace, rest string) string {
	ns := ""
	if namespace != "" {
		ns = `,"namespace":"` + namespace + `"`
	}
	return fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"x"%s},%s}`, apiVersion, kind, ns, rest)
}

func check(t *testing.T, bodies ...string) []report.Reason {
	t.Helper()
	c := reference.NewChecker()
	var all []rehearsaltest.Object
	for _, b := range bodies {
		all = append(all, rehearsaltest.Parse(t, b))
	}
	for _, o := range all {
		c.AddEntry(o.Key)
		if o.Key.Resource == "customresourcedefinitions.apiextensions.k8s.io" {
			c.AddDefinition(o.Key, o.Body)
		}
	}
	for _, o := range all {
		c.AddObject(o.Key, o.Body)
	}
	return c.Findings()
}

const (
	service  = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"s","namespace":"n"},"spec":{"selector":{"app":"none"}}}`
	order    = `{"apiVersion":"shop.example.com/v1","kind":"Order","metadata":{"name":"o","namespace":"n"}}`
	deadEnds = `"webhooks":[{"clientConfig":{"service":{"namespace":"n","name":"s"}}}]`
)

// Each planted defect is found once, by its code, at its object, and names what is missing.
func TestDefects(t *testing.T) {
	planted := map[string]struct {
		objects []string
		code    report.Code
		at      string
		text    string
	}{
		"service account":     {[]string{pod(`"serviceAccountName":"web"`)}, reference.Missing, "pods n/p", "serviceaccounts n/web"},
		"config map volume":   {[]string{pod(`"volumes":[{"name":"v","configMap":{"name":"gone"}}]`)}, reference.Missing, "pods n/p", "configmaps n/gone"},
		"secret volume":       {[]string{pod(`"volumes":[{"name":"v","secret":{"secretName":"gone"}}]`)}, reference.Missing, "pods n/p", "secrets n/gone"},
		"projected secret":    {[]string{pod(`"volumes":[{"name":"v","projected":{"sources":[{"secret":{"name":"gone"}}]}}]`)}, reference.Missing, "pods n/p", "secrets n/gone"},
		"projected map":       {[]string{pod(`"volumes":[{"name":"v","projected":{"sources":[{"configMap":{"name":"gone"}}]}}]`)}, reference.Missing, "pods n/p", "configmaps n/gone"},
		"claim":               {[]string{pod(`"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"gone"}}]`)}, reference.Missing, "pods n/p", "persistentvolumeclaims n/gone"},
		"ephemeral claim":     {[]string{pod(`"volumes":[{"name":"v","ephemeral":{"volumeClaimTemplate":{"spec":{"storageClassName":"gone"}}}}]`)}, reference.Missing, "pods n/p", "storageclasses.storage.k8s.io gone"},
		"pull secret":         {[]string{pod(`"imagePullSecrets":[{"name":"gone"}]`)}, reference.Missing, "pods n/p", "secrets n/gone"},
		"priority class":      {[]string{pod(`"priorityClassName":"gone"`)}, reference.Missing, "pods n/p", "priorityclasses.scheduling.k8s.io gone"},
		"runtime class":       {[]string{pod(`"runtimeClassName":"gone"`)}, reference.Missing, "pods n/p", "runtimeclasses.node.k8s.io gone"},
		"environment":         {[]string{pod(`"initContainers":[{"name":"i","envFrom":[{"configMapRef":{"name":"gone"}}]}]`)}, reference.Missing, "pods n/p", "configmaps n/gone"},
		"variable":            {[]string{pod(`"initContainers":[{"name":"i","env":[{"name":"E","valueFrom":{"secretKeyRef":{"name":"gone","key":"k"}}}]}]`)}, reference.Missing, "pods n/p", "secrets n/gone"},
		"template":            {[]string{object("apps/v1", "Deployment", "n", `"spec":{"template":{"spec":{"serviceAccountName":"gone"}}}`)}, reference.Missing, "deployments.apps n/x", "serviceaccounts n/gone"},
		"cron job":            {[]string{object("batch/v1", "CronJob", "n", `"spec":{"jobTemplate":{"spec":{"template":{"spec":{"volumes":[{"name":"v","secret":{"secretName":"gone"}}]}}}}}`)}, reference.Missing, "cronjobs.batch n/x", "secrets n/gone"},
		"storage class":       {[]string{object("v1", "PersistentVolumeClaim", "n", `"spec":{"storageClassName":"gone"}`)}, reference.Missing, "persistentvolumeclaims n/x", "storageclasses.storage.k8s.io gone"},
		"claim template":      {[]string{object("apps/v1", "StatefulSet", "n", `"spec":{"volumeClaimTemplates":[{"spec":{"storageClassName":"gone"}}]}`)}, reference.Missing, "statefulsets.apps n/x", "storageclasses.storage.k8s.io gone"},
		"governing service":   {[]string{object("apps/v1", "StatefulSet", "n", `"spec":{"serviceName":"gone"}`)}, reference.Missing, "statefulsets.apps n/x", "services n/gone"},
		"role":                {[]string{object("rbac.authorization.k8s.io/v1", "RoleBinding", "n", `"roleRef":{"kind":"Role","name":"gone"}`)}, reference.Missing, "rolebindings.rbac.authorization.k8s.io n/x", "roles.rbac.authorization.k8s.io n/gone"},
		"cluster role":        {[]string{object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", `"roleRef":{"kind":"ClusterRole","name":"gone"}`)}, reference.Missing, "clusterrolebindings.rbac.authorization.k8s.io x", "clusterroles.rbac.authorization.k8s.io gone"},
		"subject":             {[]string{object("rbac.authorization.k8s.io/v1", "RoleBinding", "n", `"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"ServiceAccount","name":"gone"}]`)}, reference.Missing, "rolebindings.rbac.authorization.k8s.io n/x", "serviceaccounts n/gone"},
		"account's secret":    {[]string{object("v1", "ServiceAccount", "n", `"imagePullSecrets":[{"name":"gone"}]`)}, reference.Missing, "serviceaccounts n/x", "secrets n/gone"},
		"ingress backend":     {[]string{object("networking.k8s.io/v1", "Ingress", "n", `"spec":{"defaultBackend":{"service":{"name":"gone","port":{"number":80}}}}`)}, reference.Missing, "ingresses.networking.k8s.io n/x", "services n/gone"},
		"ingress certificate": {[]string{object("networking.k8s.io/v1", "Ingress", "n", `"spec":{"tls":[{"secretName":"gone"}]}`)}, reference.Missing, "ingresses.networking.k8s.io n/x", "secrets n/gone"},
		"ingress class":       {[]string{object("networking.k8s.io/v1", "Ingress", "n", `"spec":{"ingressClassName":"gone"}`)}, reference.Missing, "ingresses.networking.k8s.io n/x", "ingressclasses.networking.k8s.io gone"},
		"scaled workload":     {[]string{object("autoscaling/v2", "HorizontalPodAutoscaler", "n", `"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"gone"}}`)}, reference.Missing, "horizontalpodautoscalers.autoscaling n/x", "deployments.apps n/gone"},
		"snapshot class":      {[]string{object("snapshot.storage.k8s.io/v1", "VolumeSnapshot", "n", `"spec":{"volumeSnapshotClassName":"gone"}`), definition("volumesnapshots", "snapshot.storage.k8s.io", `{"name":"v1","served":true}`)}, reference.Missing, "volumesnapshots.snapshot.storage.k8s.io n/x", "volumesnapshotclasses.snapshot.storage.k8s.io gone"},
		"policy":              {[]string{object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "", `"spec":{"policyName":"gone"}`)}, reference.Missing, "validatingadmissionpolicybindings.admissionregistration.k8s.io x", "gone"},
		"owner":               {[]string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"n","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"gone","uid":"u"}]}}`}, reference.OwnerMissing, "configmaps n/x", "deployments.apps n/gone"},
		"namespace":           {[]string{object("v1", "ConfigMap", "gone", `"data":{}`)}, reference.NamespaceMissing, "configmaps gone/x", "namespace gone"},
		"twice":               {[]string{object("v1", "ConfigMap", "n", `"data":{}`), object("v1", "ConfigMap", "n", `"data":{"a":"b"}`)}, reference.Duplicate, "configmaps n/x", "more than once"},
		"too large":           {[]string{object("v1", "ConfigMap", "n", `"data":{"a":"`+strings.Repeat("x", 1600<<10)+`"}`)}, reference.TooLarge, "configmaps n/x", "etcd takes"},
		"annotations":         {[]string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"n","annotations":{"a":"` + strings.Repeat("x", 257<<10) + `"}}}`}, reference.TooLarge, "configmaps n/x", "of annotations"},
		"definition":          {[]string{order}, reference.DefinitionMissing, "orders.shop.example.com n/o", "definition"},
		"version not served":  {[]string{order, definition("orders", "shop.example.com", `{"name":"v1","served":false},{"name":"v2","served":true}`)}, reference.VersionNotServed, "orders.shop.example.com n/o", "serves v2"},
		"no version served":   {[]string{order, definition("orders", "shop.example.com", `{"name":"v1","served":false}`)}, reference.VersionNotServed, "orders.shop.example.com n/o", "serves none"},
		"webhook":             {[]string{object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", deadEnds)}, reference.NoBackend, "validatingwebhookconfigurations.admissionregistration.k8s.io x", "Service n/s, which the backup does not hold"},
		"webhook without pod": {[]string{object("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", deadEnds), service}, reference.NoBackend, "mutatingwebhookconfigurations.admissionregistration.k8s.io x", "nothing in the backup runs"},
		"aggregated API":      {[]string{object("apiregistration.k8s.io/v1", "APIService", "", `"spec":{"service":{"namespace":"n","name":"gone"}}`)}, reference.NoBackend, "apiservices.apiregistration.k8s.io x", "Service n/gone"},
		"conversion":          {[]string{definition("orders", "shop.example.com", `{"name":"v1","served":true}],"conversion":{"webhook":{"clientConfig":{"service":{"namespace":"n","name":"gone"}}}},"ignored":[1`)}, reference.NoBackend, "customresourcedefinitions.apiextensions.k8s.io orders.shop.example.com", "Service n/gone"},
		"quota":               {[]string{object("v1", "ResourceQuota", "n", `"spec":{"hard":{"pods":"2"}},"status":{"used":{"pods":"3"}}`)}, reference.QuotaTooSmall, "resourcequotas n/x", "allows 2 of pods, of which 3 were used"},
		"not of its type":     {[]string{object("v1", "ResourceQuota", "n", `"spec":{"hard":"none"}`)}, reference.NotTheObject, "resourcequotas n/x", "does not read"},
	}
	if len(planted) < 40 {
		t.Errorf("%d defects", len(planted))
	}
	for name, d := range planted {
		found := check(t, append(d.objects, namespace)...)
		if len(found) != 1 || found[0].Code != d.code || found[0].Object() != d.at || !strings.Contains(found[0].Message, d.text) || found[0].Next == "" {
			t.Errorf("%s: found %q, want one %s at %s that says %q", name, found, d.code, d.at, d.text)
		}
	}
}

func definition(plural, group, versions string) string {
	return fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"%s.%s"},"spec":{"versions":[%s]}}`, plural, group, versions)
}

// Bytes of another object under a name are found, and what is no JSON at all.
func TestForeignBytes(t *testing.T) {
	k := rehearsaltest.Parse(t, object("v1", "ConfigMap", "n", `"data":{}`)).Key
	for name, body := range map[string]string{
		"another": strings.Replace(object("v1", "ConfigMap", "n", `"data":{}`), `"x"`, `"y"`, 1), "no JSON": "{", "no object": "[]",
		"no kind": `{"metadata":{"name":"x","namespace":"n"}}`,
	} {
		c := reference.NewChecker()
		c.AddEntry(k)
		c.AddObject(k, []byte(body))
		if found := c.Findings(); len(found) != 1 || found[0].Code != reference.NotTheObject || !found[0].IsError() {
			t.Errorf("%s: %q", name, found)
		}
	}
}

// What clusters have by themselves is not missing, nor what may be, nor what an ended pod names.
func TestNothingMissing(t *testing.T) {
	ended := strings.TrimSuffix(pod(`"priorityClassName":"gone"`), "}") + `,"status":{"phase":"Succeeded"}}`
	found := check(
		t, namespace, ended,
		object("apps/v1", "Deployment", "n", `"spec":{"template":{"spec":{"serviceAccountName":"default","priorityClassName":"system-node-critical",
			"volumes":[{"name":"v","configMap":{"name":"kube-root-ca.crt"}},{"name":"o","secret":{"secretName":"gone","optional":true}}]}}}`),
		object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", `"roleRef":{"kind":"ClusterRole","name":"system:node"}`),
		object("v1", "ResourceQuota", "n", `"spec":{"hard":{"pods":"2"}},"status":{"used":{"pods":"2"}}`),
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"q","namespace":"n","ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"gone"}]}}`,
		object("metrics.k8s.io/v1beta1", "PodMetric", "n", `"usage":{}`),
		object("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass", "", `"driver":"ebs.csi.aws.com"`),
	)
	if len(found) > 0 {
		t.Errorf("found %q", found)
	}
}

// What many objects miss is one finding that counts them.
func TestManyMissOne(t *testing.T) {
	var all []string
	for i := range 100 {
		all = append(all, strings.Replace(pod(`"serviceAccountName":"web"`), `"p","n`, fmt.Sprintf(`"p%d","n`, i), 1))
	}
	found := check(t, append(all, namespace)...)
	if len(found) != 1 || !strings.Contains(found[0].Message, "and 99 more objects as well") {
		t.Errorf("found %q", found)
	}
}

func FuzzAddObject(f *testing.F) {
	f.Add("pods", []byte(pod(`"serviceAccountName":"web"`)))
	f.Add("resourcequotas", []byte(`{"spec":{"hard":{"a":"1"}}}`))
	f.Fuzz(func(t *testing.T, gr string, body []byte) {
		c := reference.NewChecker()
		k := rehearsaltest.Object{}.Key
		k.Resource, k.Namespace, k.Name = gr, "n", "p"
		c.AddEntry(k)
		c.AddDefinition(k, body)
		c.AddObject(k, body)
		if len(c.Findings()) > 1000+len(body) {
			t.Error("more findings than bytes")
		}
	})
}
