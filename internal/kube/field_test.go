package kube_test

import (
	"errors"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

func TestFieldText(t *testing.T) {
	const object = `{"metadata":{"name":"a","labels":{"app.kubernetes.io/name":"shop"}},"spec":{"ports":[{"port":80},{"port":443}],"on":true,"none":null},"status":{"phase":"Bound","n":3}}`
	for path, want := range map[string]string{
		"status.phase": "Bound", ".status.phase": "Bound", "{.status.phase}": "Bound", "status.n": "3", "spec.on": "true",
		"{.spec.ports[0].port}": "80", "spec.ports[0]": `{"port":80}`, `metadata.labels.app\.kubernetes\.io/name`: "shop",
		"{.spec.ports[?(@.port==443)].port}": "443",
	} {
		if got, err := kube.FieldText([]byte(object), path); err != nil || got != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if _, err := kube.FieldText([]byte(object), "status.missing"); !errors.Is(err, kube.ErrNoField) {
		t.Errorf("a missing field: %v", err)
	}
	for _, path := range []string{"{.a", "a[", "{range}"} {
		if got, err := kube.FieldText([]byte(object), path); err == nil {
			t.Errorf("%s is taken, as %q", path, got)
		}
	}
}
