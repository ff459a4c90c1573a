package helm

import (
	"io/fs"
	"os"
	"testing"
)

// The chart has copies of the alerts and the dashboard, for a chart cannot hold files of other
// folders.
func TestCopiesOfMonitoring(t *testing.T) {
	chart, err := Chart()
	if err != nil {
		t.Fatal(err)
	}
	for ours, original := range map[string]string{"files/rules/lifeboat.yaml": "rules.yaml", "files/dashboards/lifeboat.json": "dashboard.json"} {
		want, err := os.ReadFile("../monitoring/" + original)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := fs.ReadFile(chart, ours); err != nil || string(got) != string(want) {
			t.Errorf("%s is not deploy/monitoring/%s: cp deploy/monitoring/%[2]s deploy/helm/lifeboat/%[1]s (%v)", ours, original, err)
		}
	}
}
