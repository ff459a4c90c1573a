package preset_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/schedule/preset"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

func TestSchedules(t *testing.T) {
	made, err := preset.Schedules(preset.GFS)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range made {
		if _, err := timing.Parse(s.Spec.Schedule, ""); err != nil {
			t.Error(err)
		}
		s.APIVersion, s.Kind = "", ""
		text, err := yaml.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	var want []string
	for _, c := range [][3]string{{"daily", "0 2 * * *", "168h0m0s"}, {"weekly", "0 3 * * 0", "672h0m0s"}, {"monthly", "0 4 1 * *", "8760h0m0s"}} {
		want = append(want, `metadata:
  name: `+c[0]+`
spec:
  schedule: `+c[1]+`
  template:
    csiSnapshotTimeout: 0s
    excludedNamespaces:
    - kube-system
    - kube-public
    - kube-node-lease
    hooks: {}
    itemOperationTimeout: 0s
    metadata: {}
    ttl: `+c[2]+`
status: {}
`)
	}
	if strings.Join(got, "---\n") != strings.Join(want, "---\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "---\n"), strings.Join(want, "---\n"))
	}
}

func TestUnknownPreset(t *testing.T) {
	if _, err := preset.Schedules("yearly"); err == nil || !strings.Contains(err.Error(), "use one of gfs") {
		t.Errorf("got %v", err)
	}
}
