package resource

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// A custom resource of an unknown type that a controller made is told; what somebody wrote, what goes with
// its owner, and what is of a known type is not.
func TestMadeByController(t *testing.T) {
	const operator = `"labels":{"app.kubernetes.io/managed-by":"strimzi-cluster-operator"}`
	for name, tc := range map[string]struct {
		resource, meta string
		told           bool
	}{
		"made by an operator":         {"kafkausers.kafka.example.com", operator, true},
		"created by a controller":     {"bindings.example.com", `"labels":{"app.kubernetes.io/created-by":"controller-manager"}`, true},
		"of a load balancer":          {"targets.elbv2.example.com", `"labels":{"ingress.k8s.aws/stack":"shop"}`, true},
		"by server-side apply":        {"kafkausers.kafka.example.com", operator + `,"managedFields":[{"manager":"strimzi-cluster-operator","operation":"Apply","fieldsV1":{"f:spec":{}}}]`, true},
		"managed by Helm":             {"kafkausers.kafka.example.com", `"labels":{"app.kubernetes.io/managed-by":"Helm"}`, false},
		"applied by kubectl":          {"kafkausers.kafka.example.com", operator + `,"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"}`, false},
		"created by kubectl":          {"kafkausers.kafka.example.com", operator + `,"managedFields":[{"manager":"kubectl-create","operation":"Update"}]`, false},
		"applied by a person":         {"kafkausers.kafka.example.com", operator + `,"managedFields":[{"manager":"kubectl","operation":"Apply","fieldsV1":{"f:spec":{}}}]`, false},
		"owned":                       {"kafkausers.kafka.example.com", operator + `,"ownerReferences":[{"apiVersion":"kafka.example.com/v1","kind":"Kafka","name":"k","uid":"u"}]`, false},
		"built in":                    {"configmaps", operator, false},
		"no label":                    {"kafkausers.kafka.example.com", `"labels":{"app":"operator"}`, false},
		"of a type with its own rule": {"targetgroupbindings.elbv2.k8s.aws", operator, false},
	} {
		out, err := NewRegistry().Restore(&Context{}, tc.resource, object(t, `{"apiVersion":"x/v1","metadata":{"name":"a","namespace":"n",`+tc.meta+`},"spec":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		told := false
		for _, w := range out.Warnings {
			told = told || w.Code == report.MadeByController
		}
		if told != tc.told || out.Skipped() {
			t.Errorf("%s: %+v", name, out.Warnings)
		}
	}
}
