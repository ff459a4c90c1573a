package apply

import (
	"encoding/json"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// TestForeignNamespace: a namespace that has the name of the copy's and is not of this drill, be it somebody's or
// of another drill, is refused, and nothing is written to it.
func TestForeignNamespace(t *testing.T) {
	for name, tc := range map[string]struct {
		labels string
		says   string
	}{
		"somebody's":       {`"team":"books"`, "namespace copy is there and is not of this drill"},
		"of another drill": {`"lifeboat-backup.github.io/drill":"other"`, "namespace copy is there and is not of this drill"},
		"of this drill":    {`"lifeboat-backup.github.io/drill":"this"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubetest.Start(t)
			s.PutJSON(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"copy","labels":{`+tc.labels+`}}}`, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"mine","namespace":"copy"}}`)
			before := textOfAll(s)
			run := newRun(t, velerov1.RestoreSpec{NamespaceMapping: map[string]string{"n": "copy"}}, false, storedConfigMaps("a")...)
			run.Restore.Isolation = &contract.Isolation{Drill: "this", Cluster: "prod"}
			err := MakeNamespaces(t.Context(), newTestService(t, s), run)
			if (err == nil) != (tc.says == "") || err != nil && (!strings.Contains(err.Error(), tc.says) || failure.TypeOf(err) != contract.ErrTypeExists) {
				t.Errorf("%v, want %q", err, tc.says)
			}
			if after := textOfAll(s); after != before || !strings.Contains(after, "mine") {
				t.Errorf("was\n%s\nis\n%s", before, after)
			}
		})
	}
}

// textOfAll is every namespace and ConfigMap of a cluster as JSON.
func textOfAll(s *kubetest.Server) (text string) {
	for _, r := range []kube.Resource{kube.Namespaces(), kube.ConfigMaps()} {
		for _, o := range kubetest.All[json.RawMessage](s, r) {
			text += string(o) + "\n"
		}
	}
	return text
}
