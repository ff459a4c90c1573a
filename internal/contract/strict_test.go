package contract

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestInputErrorsNameTheField(t *testing.T) {
	for input, want := range map[string]string{
		`{"spec":{"ttl":"a week"}}`:                                   `workflow input: spec.ttl: time: invalid duration "a week"`,
		`{"spec":{"includedNamespaces":"a"}}`:                         "workflow input: spec.includedNamespaces: ",
		`{"spec":{"includeNamespaces":["a"]}}`:                        `workflow input: spec.includeNamespaces: json: unknown field "includeNamespaces"`,
		`{"sepc":{}}`:                                                 `workflow input: sepc: json: unknown field "sepc"`,
		`{"name":1,"spec":{}}`:                                        "workflow input: name: ",
		`{"spec":{"labelSelector":{"matchLabels":{"a":1}},"ttl":""}}`: "workflow input: spec.labelSelector.matchLabels.a: ",
		`"text"`: "workflow input: json: ",
	} {
		var in BackupInput
		err := json.Unmarshal([]byte(input), &in)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", input, err, want)
		}
	}
	var in RestoreInput
	if err := json.Unmarshal([]byte(`{"spec":{"backupName":"b","namespaceMapping":{"a":"b"}},"dryRun":true}`), &in); err != nil || !in.DryRun {
		t.Errorf("%+v, %v", in, err)
	}
}
