package monitoring_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	rulesFile = "../../deploy/monitoring/rules.yaml"
	runbooks  = "https://github.com/lifeboat-backup/lifeboat/blob/main/docs/ALERTS.md#"
)

func readYAML(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	var out map[string]any
	if err == nil {
		err = yaml.UnmarshalStrict(text, &out)
	}
	if err != nil {
		t.Fatal(file, err)
	}
	return out
}

// The Prometheus operator gets the same rules.
func TestSameRules(t *testing.T) {
	plain, object := readYAML(t, rulesFile), readYAML(t, "../../deploy/monitoring/prometheusrule.yaml")
	if object["kind"] != "PrometheusRule" || !reflect.DeepEqual(object["spec"], plain) {
		t.Error("prometheusrule.yaml has other rules than rules.yaml")
	}
}

// Each alert has a runbook, each runbook an alert, and only what loses a good backup, or the
// sight of it, pages.
func TestRunbooks(t *testing.T) {
	text, err := os.ReadFile("../../docs/ALERTS.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, alerts, paging []string
	for _, m := range regexp.MustCompile(`(?m)^## (Lifeboat\w+)$`).FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1])
	}
	for _, r := range newPrometheus(t).load(rulesFile).AlertingRules() {
		alerts = append(alerts, r.Name())
		if got, want := r.Annotations().Get("runbook_url"), runbooks+strings.ToLower(r.Name()); got != want {
			t.Errorf("the runbook of %s is %s, want %s", r.Name(), got, want)
		}
		switch severity := r.Labels().Get("severity"); severity {
		case "page":
			paging = append(paging, r.Name())
		case "ticket":
		default:
			t.Errorf("%s has severity %q", r.Name(), severity)
		}
	}
	slices.Sort(documented)
	slices.Sort(alerts)
	slices.Sort(paging)
	if !slices.Equal(documented, alerts) {
		t.Errorf("docs/ALERTS.md has %q, the rules %q", documented, alerts)
	}
	if want := []string{"LifeboatBackupOverdue", "LifeboatDown", "LifeboatLastBackupLost", "LifeboatStateUnknown"}; !slices.Equal(paging, want) {
		t.Errorf("%q page, want %q", paging, want)
	}
}

// TestEveryAlertIsPlayed: each alert of the file begins in one of the simulations, and ends in one.
func TestEveryAlertIsPlayed(t *testing.T) {
	played, err := os.ReadFile("rules_test.go")
	if err != nil {
		t.Fatal(err)
	}
	alerts := newPrometheus(t).load(rulesFile).AlertingRules()
	if len(alerts) == 0 {
		t.Error("there are no alerts")
	}
	for _, r := range alerts {
		for _, word := range []string{"began", "ended"} {
			if !regexp.MustCompile(`\.expect\([^)]*"\d\d \d\d:\d\d ` + r.Name() + " " + word).Match(played) {
				t.Errorf("no test expects that %s %s", r.Name(), word)
			}
		}
	}
}
