package isolation_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/golden"
)

type isolationCase struct {
	Rule     string         `json:"rule"`
	Why      string         `json:"why"`
	Resource string         `json:"resource"`
	Object   map[string]any `json:"object"`
}

func testRules() *isolation.Rules {
	return &isolation.Rules{
		Namespaces:    []string{"drill", "drill-two"},
		AllowedKinds:  []string{"clusters.postgresql.cnpg.io", "clusterthings.example.com", "httproutes.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io", "virtualservices.networking.istio.io"},
		Owned:         func(resource, name string) bool { return resource == "persistentvolumes" && name == "pv-of-the-drill" },
		PriorityClass: isolation.PriorityClassName("prod"),
	}
}

func readCases(t *testing.T) []isolationCase {
	var cases []isolationCase
	golden.ReadCase(t, "testdata/cases.yaml", &cases)
	return cases
}

// TestRules holds decisions and objects against the golden file, and wants a case of each rule.
func TestRules(t *testing.T) {
	type result struct {
		Why      string             `json:"why"`
		Decision isolation.Decision `json:"decision"`
		Object   map[string]any     `json:"object"`
	}
	var results []result
	shown := map[string]bool{}
	for _, tc := range readCases(t) {
		d := testRules().Apply(tc.Resource, tc.Object)
		results = append(results, result{tc.Why, d, tc.Object})
		codes := []string{d.Rule}
		for _, change := range d.Changes {
			codes = append(codes, change.Rule)
		}
		if !slices.Contains(codes, tc.Rule) {
			t.Errorf("%s: shows %v, not %q", tc.Why, codes, tc.Rule)
		}
		for _, code := range codes {
			shown[code] = true
		}
	}
	golden.CompareJSON(t, "testdata/cases.golden.json", "what becomes of each case", results)
	for _, rule := range isolation.AllRules() {
		if !shown[rule.Code] || rule.Text == "" {
			t.Errorf("rule %s has no case, or no text", rule.Code)
		}
		delete(shown, rule.Code)
	}
	if delete(shown, ""); len(shown) > 0 {
		t.Errorf("codes without a rule: %v", shown)
	}
	if !slices.IsSortedFunc(isolation.AllRules(), func(a, b isolation.Rule) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("rules are not sorted by code, as evidence wants them")
	}
}

// TestAgain applies the rules to their own results: nothing changes any more.
func TestAgain(t *testing.T) {
	for _, tc := range readCases(t) {
		first := testRules().Apply(tc.Resource, tc.Object)
		before := text(t, tc.Object)
		again := testRules().Apply(tc.Resource, tc.Object)
		if len(again.Changes) > 0 || text(t, tc.Object) != before || again.Outcome != first.Outcome {
			t.Errorf("%s: the second time %+v", tc.Why, again)
		}
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// outsides are kinds that name something outside. HOST, WILD and ADDRESS are put anywhere that
// their APIs have a host name or an outside address.
func outsides() map[string]string {
	return map[string]string{
		"services": `{"metadata":{"name":"a","namespace":"drill","annotations":{"external-dns.alpha.kubernetes.io/hostname":"HOST","kubectl.kubernetes.io/last-applied-configuration":"{\"x\":\"HOST ADDRESS LoadBalancer\"}"}},
			"spec":{"type":"LoadBalancer","loadBalancerIP":"ADDRESS","externalIPs":["ADDRESS"],"ports":[{"port":1,"nodePort":30000}]},"status":{"loadBalancer":{"ingress":[{"hostname":"HOST","ip":"ADDRESS"}]}}}`,
		"services ": `{"metadata":{"name":"a","namespace":"drill","annotations":{"external-dns.alpha.kubernetes.io/internal-hostname":"HOST","service.beta.kubernetes.io/x":"ADDRESS"}},"spec":{"type":"ExternalName","externalName":"HOST","externalIPs":["ADDRESS"]}}`,
		"ingresses.networking.k8s.io": `{"metadata":{"name":"a","namespace":"drill","annotations":{"nginx.ingress.kubernetes.io/permanent-redirect":"https://HOST/","a/b":"ADDRESS"}},
			"spec":{"rules":[{"host":"HOST"},{"host":"WILD"}],"tls":[{"hosts":["WILD","HOST"],"secretName":"HOST-tls"}]},"status":{"loadBalancer":{"ingress":[{"ip":"ADDRESS"}]}}}`,
		"httproutes.gateway.networking.k8s.io": `{"metadata":{"name":"a","namespace":"drill","annotations":{"x":"HOST"}},"spec":{"hostnames":["HOST","WILD"],"rules":[{"filters":[{"requestRedirect":{"hostname":"HOST"}},{"urlRewrite":{"hostname":"HOST"}},{"responseHeaderModifier":{"set":[{"name":"location","value":"https://HOST/x"}]}}]}]},"status":{"x":"ADDRESS"}}`,
		"grpcroutes.gateway.networking.k8s.io": `{"metadata":{"name":"a","namespace":"drill"},"spec":{"hostnames":["HOST"]}}`,
		"tlsroutes.gateway.networking.k8s.io":  `{"metadata":{"name":"a","namespace":"drill"},"spec":{"hostnames":["WILD"]}}`,
		"gateways.gateway.networking.k8s.io":   `{"metadata":{"name":"a","namespace":"drill"},"spec":{"addresses":[{"value":"ADDRESS"},{"value":"HOST"}],"infrastructure":{"annotations":{"x":"HOST"}},"listeners":[{"hostname":"HOST"},{"hostname":"WILD"}]}}`,
		"routes.route.openshift.io":            `{"metadata":{"name":"a","namespace":"drill"},"spec":{"host":"HOST","subdomain":"HOST"},"status":{"ingress":[{"host":"HOST"}]}}`,
		"virtualservices.networking.istio.io":  `{"metadata":{"name":"a","namespace":"drill"},"spec":{"hosts":["HOST","other/WILD"],"http":[{"redirect":{"authority":"HOST"},"rewrite":{"authority":"HOST:443"},"route":[{"destination":{"host":"HOST"}}]}],"tls":[{"match":[{"sniHosts":["HOST"]}]}]}}`,
		"serviceentries.networking.istio.io":   `{"metadata":{"name":"a","namespace":"drill"},"spec":{"hosts":["HOST"],"addresses":["ADDRESS"],"endpoints":[{"address":"ADDRESS"}]}}`,
		"gateways.networking.istio.io":         `{"metadata":{"name":"a","namespace":"drill"},"spec":{"servers":[{"hosts":["HOST","ns/WILD"]}]}}`,
		"ingressroutes.traefik.io":             "{\"metadata\":{\"name\":\"a\",\"namespace\":\"drill\"},\"spec\":{\"routes\":[{\"match\":\"Host(`HOST`) || HostSNI(`HOST`)\"}],\"tls\":{\"domains\":[{\"main\":\"HOST\",\"sans\":[\"HOST\"]}]}}}",
		"httpproxies.projectcontour.io":        `{"metadata":{"name":"a","namespace":"drill"},"spec":{"virtualhost":{"fqdn":"HOST"}}}`,
		"certificates.cert-manager.io":         `{"metadata":{"name":"a","namespace":"drill"},"spec":{"dnsNames":["HOST","WILD"],"commonName":"HOST","ipAddresses":["ADDRESS"],"uris":["https://HOST/"]}}`,
		"services  ":                           `{"metadata":{"name":"a","namespace":"drill","annotations":{"getambassador.io/config":"host: HOST","consul.hashicorp.com/service-meta-x":"HOST"}}}`,
		"virtualservers.k8s.nginx.org":         `{"metadata":{"name":"a","namespace":"drill","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"HOST"}},"spec":{"host":"HOST","routes":[{"path":"/","action":{"redirect":{"url":"https://HOST/"}}}]},"status":{"host":"HOST"}}`,
		"virtualservers.cis.f5.com":            `{"metadata":{"name":"a","namespace":"drill"},"spec":{"host":"HOST","hostAliases":["WILD"],"hosts":["WILD"]}}`,
		"dnsendpoints.externaldns.nginx.org":   `{"metadata":{"name":"a","namespace":"drill"},"spec":{"endpoints":[{"dnsName":"HOST"}]}}`,
		"things.example.com":                   `{"metadata":{"name":"a","namespace":"drill"},"config":{"servers":[{"server":"HOST"}],"note":"see HOST"}}`,
		"probes.example.com":                   `{"metadata":{"name":"a","namespace":"drill"},"spec":{"url":"https://HOST:8443/x?y"},"status":{"address":{"url":"http://HOST"}}}`,
		"clusters.postgresql.cnpg.io":          `{"metadata":{"name":"a","namespace":"drill"},"spec":{"externalClusters":[{"connectionParameters":{"host":"HOST"}}]}}`,
		"dnsendpoints.externaldns.k8s.io":      `{"metadata":{"name":"a","namespace":"drill"},"spec":{"endpoints":[{"dnsName":"HOST","targets":["ADDRESS"]}]}}`,
	}
}

// TestNothingOutsideIsNamed puts host names, addresses and load balancers into objects at
// random: none is in what would be written, or tried.
func TestNothingOutsideIsNamed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for resource, form := range outsides() {
		for range 200 {
			domain := fmt.Sprintf("%s.%s.example", word(r), word(r))
			host, address := word(r)+"."+domain, fmt.Sprintf("203.0.%d.%d", r.IntN(255), 100+r.IntN(155))
			filled := strings.NewReplacer("HOST", host, "WILD", "*."+domain, "ADDRESS", address).Replace(form)
			var obj map[string]any
			if err := json.Unmarshal([]byte(filled), &obj); err != nil {
				t.Fatal(resource, err)
			}
			testRules().Apply(strings.TrimSpace(resource), obj)
			for _, never := range []string{host, domain, address, "LoadBalancer"} {
				if got := text(t, obj); strings.Contains(got, never) {
					t.Fatalf("%s: %s is still in %s", resource, never, got)
				}
			}
		}
	}
}

// TestNamesWithin: what has the form of a name of the cluster, or of no host name, stays in a custom resource.
func TestNamesWithin(t *testing.T) {
	const form = `{"metadata":{"name":"a","namespace":"drill"},"spec":{"host":"db.shop.svc","hosts":["db.shop.svc.cluster.local","db","*"],"match":"exact","server":"10.0.0.1","domain":"example","redirect":true,"url":"http://db.shop.svc:80/x","image":"registry.example.com/a:1"}}`
	var obj map[string]any
	if err := json.Unmarshal([]byte(form), &obj); err != nil {
		t.Fatal(err)
	}
	before := text(t, obj)
	if d := testRules().Apply("things.example.com", obj); len(d.Changes) > 0 || text(t, obj) != before {
		t.Errorf("%+v", d.Changes)
	}
	obj = map[string]any{"metadata": map[string]any{"name": "shop.example.com", "namespace": "drill"}}
	if d := testRules().Apply("domainmappings.serving.knative.dev", obj); d.Outcome != isolation.LeftOut {
		t.Errorf("an object whose name is a host name: %+v", d)
	}
}

func word(r *rand.Rand) string {
	letters := make([]byte, 4+r.IntN(6))
	for i := range letters {
		letters[i] = byte('a' + r.IntN(26))
	}
	return string(letters)
}

// FuzzApply: no object of any form stops the rules, and none is changed twice.
func FuzzApply(f *testing.F) {
	for resource, form := range outsides() {
		f.Add(strings.TrimSpace(resource), []byte(form))
	}
	f.Add("pods", []byte(`{"spec":{"volumes":[{"name":1,"hostPath":null}],"containers":[{"env":[1],"securityContext":[]}]}}`))
	f.Fuzz(func(t *testing.T, resource string, data []byte) {
		var obj map[string]any
		if json.Unmarshal(data, &obj) != nil {
			return
		}
		testRules().Apply(resource, obj)
		before := text(t, obj)
		if again := testRules().Apply(resource, obj); len(again.Changes) > 0 || text(t, obj) != before {
			t.Errorf("%s: the second time %+v\n%s\n%s", resource, again.Changes, before, text(t, obj))
		}
	})
}

func TestWall(t *testing.T) {
	w := isolation.Wall{
		Labels: map[string]string{"drill": "one"}, WorkerNamespace: "lifeboat", WorkerLabels: map[string]string{"app": "worker"},
		APIServer: []string{"10.0.0.1", "fd00::1"},
	}
	policy, err := w.Policy("drill")
	if err != nil {
		t.Fatal(err)
	}
	golden.CompareJSON(t, "testdata/wall.golden.json", "nothing comes in or goes out but within, from the worker and the API server, and to DNS", policy)
	closed, err := isolation.Wall{Labels: w.Labels}.Policy("drill")
	if err != nil || len(closed.Spec.Ingress) != 1 || len(closed.Spec.Egress) != 2 {
		t.Errorf("without worker and API server: %+v, %v", closed.Spec, err)
	}
	w.APIServer = []string{"api.example.com"}
	if _, err := w.Policy("drill"); err == nil {
		t.Error("a name is taken for an address")
	}
}

func TestNotShown(t *testing.T) {
	for enforcement, want := range map[isolation.Enforcement]string{
		isolation.Enforced: "was tried with one connection", isolation.NotEnforced: "could reach everything", isolation.EnforcementUnknown: "was not tried",
	} {
		if got := isolation.NotShown(enforcement); len(got) != 5 || !strings.Contains(got[4].Text, want) {
			t.Errorf("%d: %v", enforcement, got)
		}
	}
	class := isolation.PriorityClass("prod", nil)
	if class.Value >= 0 || class.Value < -10 || *class.PreemptionPolicy != "Never" || reflect.ValueOf(class.GlobalDefault).Bool() {
		t.Errorf("the class of the drill's pods: %+v", class)
	}
}
