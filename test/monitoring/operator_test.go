package monitoring_test

import (
	"os"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

// TestOperatorTypes: what the chart and deploy/monitoring have for the Prometheus operator has no field that
// its types do not know.
func TestOperatorTypes(t *testing.T) {
	found := map[string]int{}
	for _, file := range []string{"../../deploy/helm/testdata/golden/cloud.yaml", "../../deploy/monitoring/prometheusrule.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var kind struct{ Kind string }
			if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
				t.Fatal(file, err)
			}
			into := map[string]any{"ServiceMonitor": &monitoringv1.ServiceMonitor{}, "PrometheusRule": &monitoringv1.PrometheusRule{}}[kind.Kind]
			if into == nil {
				continue
			}
			found[kind.Kind]++
			if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
				t.Errorf("%s: %s: %v", file, kind.Kind, err)
			}
		}
	}
	if found["ServiceMonitor"] != 1 || found["PrometheusRule"] != 2 {
		t.Errorf("found %v", found)
	}
}
