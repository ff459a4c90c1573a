package volumes

import (
	"slices"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TestUnusedClaims: no disk is made for the ephemeral volume of a pod that is not restored. A
// pod that is not selected says nothing about its claims, which may be wanted for their data.
func TestUnusedClaims(t *testing.T) {
	const running = `,"status":{"phase":"Running"}`
	objects := []restoretest.Stored{
		{Key: "jobs.batch shop/import"},
		{Key: "pods shop/import-x", Meta: `,"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"import","controller":true}]`, Rest: running},
		{Key: "pods shop/ended", Rest: `,"status":{"phase":"Succeeded"}`},
		{Key: "pods shop/web", Rest: running},
		{Key: "pods other/ended", Rest: `,"status":{"phase":"Succeeded"}`},
	}
	run, _ := restoretest.StoredSession(t, objects, velerov1.RestoreSpec{IncludedNamespaces: []string{"shop"}})
	facts := volume.NewFacts()
	for _, pod := range []string{"shop/import-x", "shop/ended", "shop/web", "other/ended", "shop/gone", ""} {
		ns, name := resource.SplitName(pod)
		claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name + "-scratch"}}
		if controller := true; pod != "" {
			claim.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: name, Controller: &controller}}
		}
		facts.Claims = append(facts.Claims, claim)
	}
	r := withTechnologies()
	r.Rules = resource.NewRegistry()
	p := planner{r: r, s: run, filter: run.Plan.Filter, facts: facts, plan: &restore.Volumes{}}
	if err := p.findUnusedClaims(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"shop/import-x-scratch", "shop/ended-scratch"}; !slices.Equal(slices.Sorted(slices.Values(p.plan.Unused)), slices.Sorted(slices.Values(want))) {
		t.Errorf("unused %q", p.plan.Unused)
	}
	for i := range facts.Claims {
		claim := &facts.Claims[i]
		v := p.describeVolume(nil, claim)
		if want := claim.Namespace == "shop" && !slices.Contains(p.plan.Unused, v.ClaimKey()); v.Selected != want {
			t.Errorf("%s: selected %t", v.ClaimKey(), v.Selected)
		}
	}
}
