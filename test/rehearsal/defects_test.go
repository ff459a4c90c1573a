//go:build stack

package rehearsal

import (
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/rehearsaltest"
)

// defect is an object that no restore brings back as it is, and what has to be said of it.
type defect struct {
	code, at, text string
	object         string
}

// defects are those that an API server shows. Those that the backup shows by itself are for the
// tests of internal/rehearsal/reference.
func defects() map[string]defect {
	return map[string]defect{
		"schema":            {"OBJECT_REJECTED", "orders.shop.example.com shop/zero", "greater than or equal to 1", `{"apiVersion":"shop.example.com/v1","kind":"Order","metadata":{"name":"zero","namespace":"shop"},"spec":{"count":0}}`},
		"API removed":       {"API_REMOVED", "podsecuritypolicies.policy /old", "does not serve podsecuritypolicies.policy", `{"apiVersion":"policy/v1beta1","kind":"PodSecurityPolicy","metadata":{"name":"old"},"spec":{}}`},
		"version gone":      {"STORED_VERSION_GONE", "horizontalpodautoscalers.autoscaling shop/old", "stored as autoscaling/v2beta2", `{"apiVersion":"autoscaling/v2beta2","kind":"HorizontalPodAutoscaler","metadata":{"name":"old","namespace":"shop"},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"}}}`},
		"flow schema":       {"STORED_VERSION_GONE", "flowschemas.flowcontrol.apiserver.k8s.io /mine", "stored as flowcontrol.apiserver.k8s.io/v1beta2", `{"apiVersion":"flowcontrol.apiserver.k8s.io/v1beta2","kind":"FlowSchema","metadata":{"name":"mine"},"spec":{"priorityLevelConfiguration":{"name":"workload-low"}}}`},
		"definition":        {"OBJECT_REJECTED", "customresourcedefinitions.apiextensions.k8s.io /twos.shop.example.com", "spec.versions", `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"twos.shop.example.com"},"spec":{"group":"shop.example.com","scope":"Cluster","names":{"plural":"twos","singular":"two","kind":"Two","listKind":"TwoList"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}},{"name":"v2","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}}`},
		"its objects":       {"TYPE_NOT_SERVED", "twos.shop.example.com /x", "does not serve twos", `{"apiVersion":"shop.example.com/v1","kind":"Two","metadata":{"name":"x"}}`},
		"no definition":     {"DEFINITION_MISSING", "gones.gone.example.com /x", "whose definition the backup does not hold", `{"apiVersion":"gone.example.com/v1","kind":"Gone","metadata":{"name":"x"}}`},
		"version":           {"VERSION_NOT_SERVED", "orders.shop.example.com shop/early", "serves v1, v1beta1", `{"apiVersion":"shop.example.com/v1alpha1","kind":"Order","metadata":{"name":"early","namespace":"shop"}}`},
		"pod security":      {"WEBHOOK_DENIED", "pods strict/root", "PodSecurity", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"root","namespace":"strict"},"spec":{"hostNetwork":true,"containers":[{"name":"c","image":"c"}]}}`},
		"priority class":    {"APPLY_FAILED", "pods shop/urgent", "no PriorityClass with name gone", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"urgent","namespace":"shop"},"spec":{"priorityClassName":"gone","containers":[{"name":"c","image":"c"}]}}`},
		"runtime class":     {"APPLY_FAILED", "pods shop/sandboxed", "RuntimeClass", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"sandboxed","namespace":"shop"},"spec":{"runtimeClassName":"gone","containers":[{"name":"c","image":"c"}]}}`},
		"too large":         {"OBJECT_TOO_LARGE", "configmaps shop/large", "etcd takes", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"large","namespace":"shop"},"data":{"a":"` + strings.Repeat("x", 1600<<10) + `"}}`},
		"port":              {"OBJECT_REJECTED", "services shop/odd", "70000", `{"apiVersion":"v1","kind":"Service","metadata":{"name":"odd","namespace":"shop"},"spec":{"ports":[{"port":70000}]}}`},
		"certificate":       {"OBJECT_REJECTED", "secrets shop/half", "tls.key", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"half","namespace":"shop"},"type":"kubernetes.io/tls","data":{"tls.crt":"c2VjcmV0LWNlcnQ="}}`},
		"schedule":          {"OBJECT_REJECTED", "cronjobs.batch shop/odd", "schedule", `{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"odd","namespace":"shop"},"spec":{"schedule":"every night","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"c"}]}}}}}}`},
		"address range":     {"OBJECT_REJECTED", "networkpolicies.networking.k8s.io shop/odd", "cidr", `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"odd","namespace":"shop"},"spec":{"podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/99"}}]}]}}`},
		"name":              {"OBJECT_REJECTED", "configmaps shop/Upper", "RFC 1123", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"Upper","namespace":"shop"}}`},
		"selector":          {"OBJECT_REJECTED", "deployments.apps shop/odd", "selector", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"odd","namespace":"shop"},"spec":{"selector":{"matchLabels":{"app":"a"}},"template":{"metadata":{"labels":{"app":"b"}},"spec":{"containers":[{"name":"c","image":"c"}]}}}}`},
		"type of a field":   {"OBJECT_REJECTED", "configmaps shop/odd", "cannot be handled as a ConfigMap", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"odd","namespace":"shop"},"data":"none"}`},
		"expression":        {"OBJECT_REJECTED", "validatingadmissionpolicies.admissionregistration.k8s.io /odd", "expression", `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicy","metadata":{"name":"odd"},"spec":{"matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}]},"validations":[{"expression":"object.("}]}}`},
		"disruption budget": {"OBJECT_REJECTED", "poddisruptionbudgets.policy shop/odd", "minAvailable", `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"odd","namespace":"shop"},"spec":{"minAvailable":-1,"selector":{}}}`},
		"no namespace":      {"NAMESPACE_NOT_IN_BACKUP", "configmaps nowhere/x", "namespace nowhere", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"nowhere"},"data":{"a":"b"}}`},
		"owner":             {"OWNER_NOT_IN_BACKUP", "configmaps shop/orphan", "deployments.apps shop/gone", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"orphan","namespace":"shop","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"gone","uid":"u"}]}}`},
	}
}

// TestDefects: each planted defect is found and named, at its object, and nothing else is; a
// sound object beside them is not counted among them.
func TestDefects(t *testing.T) {
	root := memoryDirectory(t)
	p := processes(t, root)
	c := newCluster(t, p)
	c.apply("testdata/shop.yaml")
	c.create(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"strict","labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	objects := c.objects()
	refused := int64(0)
	for _, d := range defects() {
		objects = append(objects, rehearsaltest.Parse(t, d.object))
		if d.code != "NAMESPACE_NOT_IN_BACKUP" && d.code != "OWNER_NOT_IN_BACKUP" {
			refused++
		}
	}
	res := rehearse(t, p, objects...)
	if res.Level != contract.LevelBytes {
		t.Errorf("level %q", res.Level)
	}
	if res.Counts.Refused != refused {
		t.Errorf("%d objects were refused, want %d", res.Counts.Refused, refused)
	}
	known := map[string]bool{}
	for name, d := range defects() {
		known[d.at] = true
		if !slices.ContainsFunc(res.Problems, func(p contract.RehearsalProblem) bool {
			return objectOf(p) == d.at && p.Code == d.code && strings.Contains(p.Message, d.text)
		}) {
			t.Errorf("%s is not found: want %s at %s that says %q", name, d.code, d.at, d.text)
		}
	}
	for _, p := range res.Problems {
		if !known[objectOf(p)] {
			t.Errorf("found where nothing was planted: %s", lineOf(p))
		}
		if strings.Contains(p.Message, "c2VjcmV0LWNlcnQ") || strings.Contains(p.Message, "secret-cert") {
			t.Errorf("quotes a Secret: %s", lineOf(p))
		}
	}
	if t.Failed() {
		logResult(t, res)
	}
}

func objectOf(p contract.RehearsalProblem) string {
	_, name, _ := strings.Cut(lineOf(p), " ")
	name, _, _ = strings.Cut(name, ": ")
	return name
}
