package drill

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TestRequestsOfController: claims that controllers make are foreseen, unless the backup has them.
func TestRequestsOfController(t *testing.T) {
	const template = `"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": "gp3", "resources": {"requests": {"storage": "2Gi"}}}}]`
	const ephemeral = `"volumes": [{"name": "tmp", "ephemeral": {"volumeClaimTemplate": {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}}}, {"name": "empty", "emptyDir": {}}]`
	restored := map[string]*volume.Restore{
		"shop/data-db-0": {Selected: true}, "shop/data-db-1": {Selected: true}, "shop/data-db-2": {},
	}
	gp3, usual := "claim template data of statefulsets.apps shop/db gp3 2147483648", "ephemeral volume tmp of statefulsets.apps shop/db  1073741824"
	for name, tc := range map[string]struct {
		spec string
		want []string
	}{
		"all are restored":    {`{"replicas": 2, ` + template + `}`, nil},
		"one is not selected": {`{"replicas": 3, ` + template + `}`, []string{gp3}},
		"from another on":     {`{"replicas": 1, "ordinals": {"start": 5}, ` + template + `}`, []string{gp3}},
		"one by default":      {`{` + template + `}`, nil},
		"none runs":           {`{"replicas": 0, "template": {"spec": {` + ephemeral + `}}}`, nil},
		"without end":         {`{"replicas": 2147483647, ` + template + `}`, []string{gp3}},
		"of a template":       {`{"template": {"spec": {` + ephemeral + `}}}`, []string{usual}},
		"of a pod":            {`{` + ephemeral + `}`, []string{usual}},
		"does not decode":     {`{"replicas": "two"}`, nil},
	} {
		var spec map[string]any
		if err := json.Unmarshal([]byte(tc.spec), &spec); err != nil {
			t.Fatal(err)
		}
		var got []string
		e := archive.Entry{Key: archive.Key{Resource: "statefulsets.apps", Namespace: "shop", Name: "db"}}
		for _, r := range requestsOfController(e, map[string]any{"spec": spec}, restored) {
			got = append(got, fmt.Sprint(r.claim, " ", r.class, " ", r.bytes))
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
