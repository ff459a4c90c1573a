package volumes

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// findUnusedClaims finds the claims of ephemeral volumes whose pods are selected and then
// skipped by the rules of kinds, as those of a Job are: the pods that are started in their
// place get claims of their own, and a disk that is made for one of these would be nobody's.
func (p *planner) findUnusedClaims(ctx context.Context) error {
	claims := map[string][]string{} // by "namespace/name" of the pod
	for i := range p.facts.Claims {
		claim := &p.facts.Claims[i]
		if owner := metav1.GetControllerOf(claim); owner != nil && owner.Kind == "Pod" && owner.APIVersion == "v1" {
			pod := resource.ObjectName(claim.Namespace, owner.Name)
			claims[pod] = append(claims[pod], resource.ObjectName(claim.Namespace, claim.Name))
		}
	}
	if len(claims) == 0 {
		return nil
	}
	lookup := restore.NewLookup(ctx, p.s)
	err := repository.WalkResource(ctx, p.s.Arc, resource.Pods, func(e archive.Entry, body []byte) error {
		if len(claims[e.Object()]) == 0 || !p.s.Selects(e.Key, resource.DecodeLabels(body)) {
			return nil
		}
		var pod map[string]any
		if err := json.Unmarshal(body, &pod); err != nil {
			return fmt.Errorf("read pod %s: %w", e.Object(), err)
		}
		// A pod that no rule can make sense of is told when it is restored.
		if out, err := p.r.Rules.Restore(&resource.Context{Has: lookup.Has}, resource.Pods, pod); err == nil && out.Skipped() {
			p.plan.Unused = append(p.plan.Unused, claims[e.Object()]...)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for pods of claims: %w", err)
	}
	return lookup.Failed()
}
