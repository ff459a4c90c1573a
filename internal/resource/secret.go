package resource

import (
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

const typeAccountToken = "kubernetes.io/service-account-token" //nolint:gosec // a type, no credential

// restoreSecret skips generated tokens, which are signed by the old cluster's
// key, and empties the token Secrets that people made so that the token
// controller fills them. All other Secrets stay as they are.
func restoreSecret(_ *Context, obj map[string]any, out *Outcome) error {
	if str(obj, "type") != typeAccountToken {
		return nil
	}
	account := annotation(obj, "kubernetes.io/service-account.name")
	if generatedToken(account, name(obj)) {
		out.setSkip(report.ClusterManaged, "a token that the cluster generated for service account "+account)
		return nil
	}
	dropAnnotations(obj, "kubernetes.io/service-account.uid")
	dropLabels(child(obj, "metadata"), "kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since")
	// The controller fills only what is missing, so the namespace, which may be
	// mapped, goes with the token and its CA.
	drop(child(obj, "data"), "token", "ca.crt", "namespace")
	dropEmpty(obj, "data")
	return nil
}

// generatedSuffix are the characters of Kubernetes' generated names: no vowels
// and nothing that looks like one.
const generatedSuffix = "bcdfghjklmnpqrstvwxz2456789"

// generatedToken recognises <account>-token-<5 generated characters>, the name
// of the Secret that Kubernetes before 1.24 made for every service account. A
// Secret such as build-token-extra is a person's and no match.
func generatedToken(account, secret string) bool {
	suffix, ok := strings.CutPrefix(secret, account+"-token-")
	if account == "" || !ok || len(suffix) != 5 {
		return false
	}
	return strings.Trim(suffix, generatedSuffix) == ""
}
