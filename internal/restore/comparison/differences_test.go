package comparison

import (
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

type object = map[string]any

func configMap(data object) object {
	return object{"metadata": object{"name": "c"}, "data": data}
}

// What differs on purpose is told by field and by whom; what else differs is not let pass.
func TestDifferences(t *testing.T) {
	change := func(field, by string) []contract.RehearsalChange {
		return []contract.RehearsalChange{{Resource: "configmaps", Field: field, By: by}}
	}
	for name, d := range map[string]struct {
		stored, wanted, live object
		onPurpose            []contract.RehearsalChange
		unwanted             []string
	}{
		"equal":            {configMap(object{"a": "1"}), configMap(object{"a": "1"}), configMap(object{"a": "1"}), nil, nil},
		"empty is missing": {configMap(object{}), configMap(object{}), configMap(nil), nil, nil},
		"a rule":           {configMap(object{"a": "1"}), configMap(object{"a": "2"}), configMap(object{"a": "2"}), change("data.a", ByRule), nil},
		"dropped":          {configMap(object{"a": "1", "b": "1"}), configMap(object{"a": "1"}), configMap(object{"a": "1"}), change("data.b", ByRule), nil},
		"a default":        {configMap(object{"a": "1"}), configMap(object{"a": "1"}), configMap(object{"a": "1", "b": "x"}), change("data.b", ByAPIServer), nil},
		"assigned":         {configMap(object{"a": "1"}), configMap(object{}), configMap(object{"a": "2"}), change("data.a", ByAPIServer), nil},
		"lost":             {configMap(object{"a": "1", "b": "2"}), configMap(object{"a": "1", "b": "2"}), configMap(object{"a": "1"}), nil, []string{"data.b"}},
		"altered":          {configMap(object{"a": "1"}), configMap(object{"a": "1"}), configMap(object{"a": "2"}), nil, []string{"data.a"}},
		"owner": {
			object{"metadata": object{"ownerReferences": []any{object{"name": "o", "uid": "old", "blockOwnerDeletion": true}}}},
			object{"metadata": object{}},
			object{"metadata": object{"ownerReferences": []any{object{"name": "o", "uid": "new"}}}},
			nil, nil,
		},
		"our labels": {
			object{"metadata": object{"labels": object{"a": "b"}}},
			object{"metadata": object{"labels": object{"a": "b", "velero.io/restore-name": "rehearsal", "velero.io/backup-name": "b"}}},
			object{"metadata": object{"labels": object{"a": "b", "velero.io/restore-name": "rehearsal", "velero.io/backup-name": "b"}}},
			nil, nil,
		},
	} {
		onPurpose, unwanted := Differences("configmaps", d.stored, d.wanted, d.live)
		if !slices.Equal(onPurpose, d.onPurpose) || !slices.Equal(unwanted, d.unwanted) {
			t.Errorf("%s: %+v, %q", name, onPurpose, unwanted)
		}
	}
}

func TestFieldOf(t *testing.T) {
	for path, want := range map[string]string{
		"spec": "spec", "spec.nodeName": "spec.nodeName", "spec.containers[0].image": "spec.containers", `metadata.annotations["a.b/c"]`: "metadata.annotations",
		"spec.ports[1].nodePort": "spec.ports", `data["tls.key"]`: "data", "rules[0].verbs[1]": "rules.verbs", "": "",
	} {
		if got := FieldOf(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// A pod is labelled by the node that it is bound to, in whatever zone that is; other types and
// labels are not.
func TestAssigned(t *testing.T) {
	in := func(key, value string) object {
		return object{"metadata": object{"labels": object{key: value}}}
	}
	const zone = "topology.kubernetes.io/zone"
	for name, d := range map[string]struct {
		gr, key  string
		unwanted []string
	}{
		"a pod": {"pods", zone, nil}, "another type": {"services", zone, []string{"metadata.labels"}}, "another label": {"pods", "a.b/c", []string{"metadata.labels"}},
	} {
		if _, unwanted := Differences(d.gr, in(d.key, "a"), in(d.key, "a"), in(d.key, "b")); !slices.Equal(unwanted, d.unwanted) {
			t.Errorf("%s: %q", name, unwanted)
		}
	}
}

// A controller's field is its own; what the restore wrote is not excused, nor is what a webhook
// changed on the way.
func TestSetByOthers(t *testing.T) {
	live := object{"metadata": object{"managedFields": []any{
		object{"manager": "us", "fieldsV1": object{"f:spec": object{"f:paused": object{}}}},
		object{"manager": "controller", "fieldsV1": object{"f:spec": object{"f:replicas": object{}}}},
	}}}
	for field, want := range map[string]bool{"spec.replicas": true, "spec.paused": false, "spec": true, "data": false, "spec.replicas.x": false} {
		if SetByOthers(live, field, "us") != want {
			t.Errorf("%s: want %v", field, want)
		}
	}
}
