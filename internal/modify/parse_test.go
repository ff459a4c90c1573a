package modify

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// ruled is a document of one rule.
func ruled(conditions, patch string) string {
	return "version: v1\nresourceModifierRules:\n- conditions: " + conditions + "\n  " + patch + "\n"
}

const someMerge = `mergePatches: [{patchData: "a: b"}]`

func TestWrongRules(t *testing.T) {
	const pods, at = "{groupResource: pods}", "resourceModifierRules[0]"
	for name, tc := range map[string]struct {
		text  string
		words []string
	}{
		"nothing":                {"", []string{`version: is ""`, "resourceModifierRules: is empty"}},
		"no YAML":                {"a: [", []string{"is no YAML"}},
		"a list":                 {"[]", []string{"resourceModifierRules", "cannot unmarshal"}},
		"version":                {"version: v2\nresourceModifierRules: []", []string{`version: is "v2": only v1`}},
		"no rules":               {"version: v1", []string{"resourceModifierRules: is empty: write a rule"}},
		"unknown field":          {ruled("{groupResource: pods, namespace: [a]}", someMerge), []string{`unknown field "` + at + `.conditions.namespace"`}},
		"unknown field on top":   {"version: v1\nrules: []", []string{`unknown field "rules"`}},
		"a field twice":          {"version: v1\nversion: v1", []string{`key "version" already set`}},
		"no type":                {ruled("{}", someMerge), []string{at + ".conditions.groupResource: is empty: name a type"}},
		"bad glob":               {ruled(`{groupResource: "pods["}`, someMerge), []string{at + ".conditions.groupResource: has '[' without ']'"}},
		"bad namespace":          {ruled(`{groupResource: pods, namespaces: [a, "{"]}`, someMerge), []string{at + ".conditions.namespaces[1]: has '{' without '}'"}},
		"bad expression":         {ruled(`{groupResource: pods, resourceNameRegex: "("}`, someMerge), []string{at + ".conditions.resourceNameRegex: is no regular expression"}},
		"bad selector":           {ruled(`{groupResource: pods, labelSelector: {matchExpressions: [{key: a, operator: Is}]}}`, someMerge), []string{at + ".conditions.labelSelector: is not a label selector"}},
		"match without path":     {ruled(`{groupResource: pods, matches: [{value: a}]}`, someMerge), []string{at + ".conditions.matches[0].path: is empty"}},
		"match of half a list":   {ruled(`{groupResource: pods, matches: [{path: /a, value: "[1"}]}`, someMerge), []string{at + ".conditions.matches[0].value: begins like JSON"}},
		"no patch":               {ruled(pods, "patches: []"), []string{at + ": changes nothing"}},
		"two kinds":              {ruled(pods, someMerge+"\n  patches: [{operation: remove, path: /a}]"), []string{at + ": has patches and mergePatches"}},
		"unknown operation":      {ruled(pods, "patches: [{operation: delete, path: /a}]"), []string{at + `.patches[0].operation: is "delete": use one of add, remove`}},
		"no operation":           {ruled(pods, "patches: [{path: /a}]"), []string{at + `.patches[0].operation: is ""`}},
		"no path":                {ruled(pods, "patches: [{operation: remove}]"), []string{at + ".patches[0].path: is empty"}},
		"path without slash":     {ruled(pods, "patches: [{operation: remove, path: spec}]"), []string{at + `.patches[0].path: is "spec"`, "begins with a slash"}},
		"copy from nowhere":      {ruled(pods, "patches: [{operation: copy, path: /a}]"), []string{at + ".patches[0].from: is empty"}},
		"value of half a list":   {ruled(pods, `patches: [{operation: add, path: /a, value: "{a"}]`), []string{at + ".patches[0].value: begins like JSON"}},
		"value that is a map":    {ruled(pods, `patches: [{operation: add, path: /a, value: {b: c}}]`), []string{"value of type string"}},
		"merge patch no YAML":    {ruled(pods, `mergePatches: [{patchData: "a: ["}]`), []string{at + ".mergePatches[0].patchData: is no patch"}},
		"merge patch a list":     {ruled(pods, `mergePatches: [{patchData: "[1]"}]`), []string{at + ".mergePatches[0].patchData: is no patch"}},
		"merge patch empty":      {ruled(pods, `mergePatches: [{}]`), []string{at + ".mergePatches[0].patchData: is empty"}},
		"strategic patch a text": {ruled(pods, `strategicPatches: [{patchData: abc}]`), []string{at + ".strategicPatches[0].patchData: is no patch"}},
		"many": {ruled(`{}`, "patches: [{operation: x, path: y}, {operation: copy, path: /z}]"), []string{
			"groupResource", "patches[0].operation", "patches[0].path", "patches[1].from",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tc.text)
			var fields filter.FieldErrors
			if !errors.As(err, &fields) {
				t.Fatalf("no field errors: %v", err)
			}
			for _, words := range tc.words {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("no %q in %q", words, err)
				}
			}
		})
	}
}

// TestManyProblems: the message of a failed workflow stays readable.
func TestManyProblems(t *testing.T) {
	text := "version: v1\nresourceModifierRules:\n" + strings.Repeat("- conditions: {groupResource: '"+strings.Repeat("x", 2000)+"'}\n", 100)
	if _, err := Parse(text); err == nil || len(err.Error()) > filter.MaxProblems*(filter.MaxProblemBytes+100) {
		t.Errorf("%v", err)
	}
}

func TestText(t *testing.T) {
	one := corev1.ConfigMap{Data: map[string]string{"any": "rules"}}
	if text, err := Text(&one); err != nil || text != "rules" {
		t.Errorf("%q %v", text, err)
	}
	if text, err := Text(&corev1.ConfigMap{BinaryData: map[string][]byte{"any": []byte("rules")}}); err != nil || text != "rules" {
		t.Errorf("%q %v", text, err)
	}
	one.Data["other"] = ""
	for _, cm := range []corev1.ConfigMap{one, {}} {
		if _, err := Text(&cm); err == nil || !strings.Contains(err.Error(), "alone under one key") {
			t.Errorf("%v", err)
		}
	}
}
