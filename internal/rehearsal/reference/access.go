package reference

import (
	"cmp"
	"encoding/json"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

func checkBinding(c *Checker, k archive.Key, body []byte) error {
	var binding rbacv1.RoleBinding
	if err := json.Unmarshal(body, &binding); err != nil {
		return err
	}
	if binding.RoleRef.Kind == "ClusterRole" {
		c.need(k, Missing, clusterRoles, "", binding.RoleRef.Name)
	} else {
		c.need(k, Missing, roles, k.Namespace, binding.RoleRef.Name)
	}
	for _, s := range binding.Subjects {
		if s.Kind == rbacv1.ServiceAccountKind {
			c.need(k, Missing, "serviceaccounts", cmp.Or(s.Namespace, k.Namespace), s.Name)
		}
	}
	return nil
}

// checkPolicyBinding looks for the policy of a type that a binding is of.
func checkPolicyBinding(policies string) checkFunc {
	return func(c *Checker, k archive.Key, body []byte) error {
		var binding struct {
			Spec struct{ PolicyName string }
		}
		if err := json.Unmarshal(body, &binding); err != nil {
			return err
		}
		c.need(k, Missing, policies, "", binding.Spec.PolicyName)
		return nil
	}
}
