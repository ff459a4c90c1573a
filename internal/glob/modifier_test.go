package glob

import (
	"strings"
	"testing"
)

func TestModifiers(t *testing.T) {
	for pattern, tc := range map[string]struct{ yes, no string }{
		"pods":                    {"pods", "pod podsx xpods pods.apps"},
		"*":                       {"pods secrets", "deployments.apps"},
		"*.apps":                  {"deployments.apps", "pods apps jobs.batch x.y.apps"},
		"*.*":                     {"deployments.apps", "pods roles.rbac.authorization.k8s.io"},
		"**":                      {"pods deployments.apps roles.rbac.authorization.k8s.io", ""},
		"*.**":                    {"deployments.apps roles.rbac.authorization.k8s.io", "pods"},
		"roles.*.*.*.*":           {"roles.rbac.authorization.k8s.io", "roles"},
		"roles.*.*.*.io":          {"roles.rbac.authorization.k8s.io", "roles.io"},
		"roles.*.*.*":             {"", "roles.rbac.authorization.k8s.io"},
		"{pods,secrets}":          {"pods secrets", "services {pods,secrets}"},
		"{pods,*.apps}":           {"pods deployments.apps", "secrets jobs.batch"},
		"p?ds":                    {"pods", "pds p.ds pooods"},
		"[ps]*":                   {"pods secrets", "endpoints"},
		"[!p]*":                   {"secrets", "pods"},
		"[a-o]*":                  {"endpoints", "pods"},
		`\*`:                      {"*", "pods"},
		"volumesnapshots.**":      {"volumesnapshots.snapshot.storage.k8s.io", "volumesnapshots"},
		"volumesnapshots.*.*.*.*": {"volumesnapshots.snapshot.storage.k8s.io", "volumesnapshots.x"},
		"über":                    {"über", "uber"},
	} {
		re, err := CompileModifier(pattern, '.')
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		for name := range strings.FieldsSeq(tc.yes) {
			if !re.MatchString(name) {
				t.Errorf("%s does not match %s", pattern, name)
			}
		}
		for name := range strings.FieldsSeq(tc.no) {
			if re.MatchString(name) {
				t.Errorf("%s matches %s", pattern, name)
			}
		}
	}
}

func TestModifierWithoutSeparator(t *testing.T) {
	re, err := CompileModifier("team-*", 0)
	if err != nil || !re.MatchString("team-a.b") || re.MatchString("my-team-a") {
		t.Errorf("%v %v", re, err)
	}
}

func TestModifiersRefused(t *testing.T) {
	for pattern, words := range map[string]string{
		"[a": "without ']'", "a]": "']' without", "[]": "empty class", "[!]": "empty class", "{a": "'{' without '}'", "a}": "'}' without",
		`a\`: "ends in", strings.Repeat("*", maxModifier+1): "at most", "[z-a]": "is not a glob",
	} {
		if _, err := CompileModifier(pattern, '.'); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%.20s: %v", pattern, err)
		}
	}
}
