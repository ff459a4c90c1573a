package activities_test

import (
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// TestLabelsOfAnExistingNamespace: a restore of a namespace whose labels somebody has changed
// gives them back under the policy update, and says under any other that they differ.
func TestLabelsOfAnExistingNamespace(t *testing.T) {
	namespaces := kube.Resource{Version: "v1", Name: "namespaces", Kind: "Namespace"}
	for policy, want := range map[velerov1.PolicyType]struct {
		label    string
		warnings int
	}{velerov1.PolicyTypeUpdate: {"restricted", 0}, velerov1.PolicyTypeNone: {"privileged", 1}} {
		t.Run(string(policy), func(t *testing.T) {
			all, api := buckets{}, newCluster(t, "ours")
			label := func(value string) {
				kubetest.Modify(api, namespaces, "", "shop", func(n *corev1.Namespace) {
					n.Labels = map[string]string{"pod-security.kubernetes.io/enforce": value}
				})
			}
			label("restricted")
			q := newQueue(1, newSite(t, api, all, "p", ""))
			if err := q.backup(t, "b"); err != nil {
				t.Fatal(err)
			}
			label("privileged")
			spec := velerov1.RestoreSpec{BackupName: "b", IncludedNamespaces: []string{"shop"}, ExistingResourcePolicy: policy}
			if err := q.run(t, "uid-r", contract.RestoreWorkflow, contract.RestoreInput{Name: "r", Spec: spec}); err != nil {
				t.Fatal(err)
			}
			n, _ := kubetest.Get[corev1.Namespace](api, namespaces, "", "shop")
			var doc velerov1.Restore
			err := repository.GetJSON(t.Context(), all["p"], repository.RestoreDocumentKey("r"), &doc)
			if got := n.Labels["pod-security.kubernetes.io/enforce"]; err != nil || got != want.label || doc.Status.Warnings != want.warnings {
				t.Errorf("label %q, %d warnings, %v; want %+v", got, doc.Status.Warnings, err, want)
			}
		})
	}
}
