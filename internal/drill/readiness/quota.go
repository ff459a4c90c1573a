package readiness

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// addQuotas counts the quotas of a namespace among its workloads: where more is used than one
// allows, no pod that goes is replaced. A restore makes quotas behind pods, so these are there all
// the same.
func addQuotas(ctx context.Context, client *kube.Client, namespace string, t *tally) error {
	quotas := kube.Resource{Version: "v1", Name: "resourcequotas", Kind: "ResourceQuota", Namespaced: true}
	return kube.List(ctx, client, quotas, namespace, "", func(q corev1.ResourceQuota) error {
		t.add("resourcequota "+q.Namespace+"/"+q.Name, lacksQuota(&q))
		return nil
	})
}

// lacksQuota says what a quota allows less of than is used, "" if there is nothing.
func lacksQuota(q *corev1.ResourceQuota) string {
	for _, name := range slices.Sorted(maps.Keys(q.Spec.Hard)) {
		hard, used := q.Spec.Hard[name], q.Status.Used[name]
		if _, counted := q.Status.Used[name]; !counted {
			return "its controller has not looked at it yet"
		}
		if used.Cmp(hard) > 0 {
			return fmt.Sprintf("allows %s of %s, and %s is used: what goes is not replaced", hard.String(), name, used.String())
		}
	}
	return ""
}
