package readiness

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// TestQuotas: what is used is held against what is allowed, once it was counted.
func TestQuotas(t *testing.T) {
	list := func(pods, memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourcePods: resource.MustParse(pods), corev1.ResourceRequestsMemory: resource.MustParse(memory)}
	}
	for name, tc := range map[string]struct {
		used corev1.ResourceList
		says string
	}{
		"less":        {list("1", "1Gi"), ""},
		"all of it":   {list("2", "2048Mi"), ""},
		"more":        {list("3", "1Gi"), "allows 2 of pods, and 3 is used"},
		"more memory": {list("1", "2049Mi"), "allows 2Gi of requests.memory, and 2049Mi is used"},
		"not counted": {nil, "has not looked"},
	} {
		q := &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: list("2", "2Gi")}, Status: corev1.ResourceQuotaStatus{Used: tc.used}}
		if got := lacksQuota(q); (got == "") != (tc.says == "") || !strings.Contains(got, tc.says) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
