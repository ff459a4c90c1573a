package manifest_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

func TestSelector(t *testing.T) {
	for text, want := range map[string]string{
		"app=web":             "app=web",
		"app==web":            "app=web",
		"app=web,tier!=cache": "app=web,tier notin (cache)",
		"env in (b,a)":        "env in (a,b)",
		"env notin (a),!x,y":  "env notin (a),!x,y",
		"a=":                  "a=",
	} {
		got, err := manifest.ParseSelector(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if filter.FormatSelector(got, nil) != want {
			t.Errorf("%s: got %s, want %s", text, filter.FormatSelector(got, nil), want)
		}
	}
}

func TestSelectorRefused(t *testing.T) {
	for text, want := range map[string]string{
		" ":       "is empty",
		"a=b=c":   "write selectors like",
		"a=b,a=c": `both "b" and "c"`,
		"a>3":     "has no place in a Velero spec",
		"a in":    "write selectors like",
	} {
		if _, err := manifest.ParseSelector(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestFormatAlternatives(t *testing.T) {
	or := []*metav1.LabelSelector{{MatchLabels: map[string]string{"a": "b"}}, {MatchLabels: map[string]string{"c": "d"}}}
	if got := filter.FormatSelector(nil, or); got != "a=b or c=d" {
		t.Errorf("got %q", got)
	}
	if got := filter.FormatSelector(nil, nil); got != "" {
		t.Errorf("got %q", got)
	}
}
