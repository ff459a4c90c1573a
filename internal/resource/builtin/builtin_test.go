package builtin_test

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/resource/builtin"
)

// Groups that look like Kubernetes' own, by their beginning or their end, are not.
func TestIsGroup(t *testing.T) {
	for group, want := range map[string]bool{
		"": true, "apps": true, "policy": true, "rbac.authorization.k8s.io": true, "storage.k8s.io": true, "flowcontrol.apiserver.k8s.io": true,
		"gateway.networking.k8s.io": false, "snapshot.storage.k8s.io": false, "rbac.authorization": false, "flowcontrol.apiserver": false,
		"node": false, "k8s.io": false, "metrics.k8s.io": false, "example.com": false,
	} {
		if builtin.IsGroup(group) != want {
			t.Errorf("%q: not %t", group, want)
		}
	}
}
