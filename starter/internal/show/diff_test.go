package show_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/golden"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func TestPlan(t *testing.T) {
	plan := `{"resource":"configmaps","namespace":"shop","name":"a","action":"create"}
{"resource":"deployments.apps","namespace":"shop","name":"web","action":"update","diff":[{"path":"spec.replicas","backup":3,"live":1,"result":3},{"path":"metadata.labels.x","live":"y"}]}
{"resource":"services","namespace":"shop","name":"web","action":"skip","reason":"exists and differs","diff":[{"path":"spec.x","backup":"<1>","live":"<2>","result":"<2>"}]}
{"resource":"configmaps","namespace":"shop","name":"kube-root-ca.crt","action":"skipped","reason":"CLUSTER_MANAGED"}
{"resource":"pods","namespace":"shop","name":"n","action":"create","diff":[{"path":"metadata.ownerReferences[0].uid","backup":"u"},{"path":"metadata.labels[\"velero.io/backup-name\"]","result":"b"}]}

{"resource":"namespaces","name":"shop","action":"none"}
{"resource":"pods","namespace":"shop","name":"p","action":"fail","reason":"quota"}
{"resource":"pods","namespace":"shop","name":"q","action":"later"}
{"resource":"configmaps","namespace":"shop","name":"big","action":"update","diff":[{"path":"data.x","backup":"` + strings.Repeat("é", 300) + `"}]}
`
	var out bytes.Buffer
	if err := show.Plan(&out, strings.NewReader(plan)); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/plan.txt", "the output", out.String())
}

func TestPlanRefused(t *testing.T) {
	for name, plan := range map[string]string{
		"line 2 is not valid": `{"action":"create"}` + "\n{",
		"larger than 16 MiB":  `{"reason":"` + strings.Repeat("x", 17<<20),
	} {
		if err := show.Plan(io.Discard, strings.NewReader(plan)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

// FuzzPlan: whatever a plan file holds, it is printed or refused.
func FuzzPlan(f *testing.F) {
	f.Add([]byte(`{"resource":"a","name":"b","action":"update","diff":[{"path":"c","live":{"d":[1]}}]}`))
	f.Add([]byte("{}\n\n[]"))
	f.Fuzz(func(t *testing.T, plan []byte) {
		var out bytes.Buffer
		if err := show.Plan(&out, bytes.NewReader(plan)); err == nil && !strings.Contains(out.String(), "to create") {
			t.Error("no summary")
		}
	})
}
