package resource

import (
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/resource/residual"
)

// mapField rewrites a field that holds a namespace's name.
func (c *Context) mapField(m map[string]any, key string) {
	if ns := str(m, key); ns != "" {
		m[key] = c.targetNamespace(ns)
	}
}

// mapUser rewrites system:serviceaccount:<namespace>:<name>.
func (c *Context) mapUser(user string) string {
	rest, ok := strings.CutPrefix(user, residual.UserPrefix)
	ns, account, whole := strings.Cut(rest, ":")
	if !ok || !whole {
		return user
	}
	return residual.UserPrefix + c.targetNamespace(ns) + ":" + account
}

// mapGroup rewrites system:serviceaccounts:<namespace>.
func (c *Context) mapGroup(group string) string {
	ns, ok := strings.CutPrefix(group, residual.GroupPrefix)
	if !ok {
		return group
	}
	return residual.GroupPrefix + c.targetNamespace(ns)
}

// injectionAnnotations tell cert-manager from which namespace/name to take the
// CA bundle of a webhook, a CRD or an APIService.
func injectionAnnotations() []string {
	return []string{"cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret"}
}

// mapInjection lets the CA source of an object follow the namespace mapping: a
// webhook whose service moved would otherwise trust the old one's certificate.
func (c *Context) mapInjection(obj map[string]any) {
	annotations := walk(obj, "metadata", "annotations")
	for _, key := range injectionAnnotations() {
		if ns, rest, ok := strings.Cut(str(annotations, key), "/"); ok {
			annotations[key] = c.targetNamespace(ns) + "/" + rest
		}
	}
}
