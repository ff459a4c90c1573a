package resource

import (
	"encoding/json"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

const hooksOfSpec = `{"resources":[{"name":"h","includedNamespaces":["copy"],"postHooks":[{"init":{"initContainers":[
{"name":"one","image":"i","command":["x"],"ports":[{"containerPort":80}]},{"name":"two","image":"i","command":["y"]}]}}]}]}`

func initNames(t *testing.T, obj map[string]any) string {
	t.Helper()
	var names []string
	for _, c := range objects(child(obj, "spec"), "initContainers") {
		names = append(names, str(c, "name"))
	}
	text, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestInitHooksComeBeforeThePodsOwn(t *testing.T) {
	var hooks velerov1.RestoreHooks
	if err := json.Unmarshal([]byte(hooksOfSpec), &hooks); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ pod, want string }{
		"of the spec, by the target's namespace": {
			`{"metadata":{"name":"p","namespace":"shop"},"spec":{"initContainers":[{"name":"restore-wait"},{"name":"own"}]}}`, `["one","two","own"]`,
		},
		"a namespace that the hook is not for": {
			`{"metadata":{"name":"p","namespace":"other"},"spec":{"initContainers":[{"name":"own"}]}}`, `["own"]`,
		},
		"of annotations": {
			`{"metadata":{"name":"p","namespace":"shop","annotations":{"init.hook.restore.velero.io/container-image":"i","init.hook.restore.velero.io/container-name":"noted"}},"spec":{}}`, `["noted"]`,
		},
		"that the backup has from an earlier restore": {
			`{"metadata":{"name":"p","namespace":"shop"},"spec":{"initContainers":[{"name":"one"},{"name":"two"},{"name":"own"}]}}`, `["one","two","own"]`,
		},
		"a pod that is skipped": {
			`{"metadata":{"name":"p","namespace":"shop"},"spec":{},"status":{"phase":"Failed"}}`, `null`,
		},
	} {
		obj := object(t, c.pod)
		ctx := &Context{Hooks: hooks, NamespaceMapping: map[string]string{"shop": "copy"}}
		if _, err := NewRegistry().Restore(ctx, "pods", obj); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := initNames(t, obj); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestInitHooksDoNotMakeAPodDiffer(t *testing.T) {
	for name, c := range map[string]struct{ want, live, left string }{
		"none there":      {`["one","two","own"]`, `["own"]`, `["own"]`},
		"all there":       {`["one","two","own"]`, `["one","two","own"]`, `["one","two","own"]`},
		"nothing else":    {`["one","two"]`, `[]`, `null`},
		"own ones differ": {`["one","two","own"]`, `["one","two"]`, `["one","two","own"]`},
	} {
		want, live := podWith(t, c.want), podWith(t, c.live)
		DropInitHooks(Outcome{InitHooks: 2}, want, live)
		if got := initNames(t, want); got != c.left {
			t.Errorf("%s: %s, want %s", name, got, c.left)
		}
	}
	untouched := podWith(t, `["own"]`)
	DropInitHooks(Outcome{}, untouched, podWith(t, `[]`))
	if got := initNames(t, untouched); got != `["own"]` {
		t.Errorf("without hooks: %s", got)
	}
}

func podWith(t *testing.T, names string) map[string]any {
	t.Helper()
	var list []string
	if err := json.Unmarshal([]byte(names), &list); err != nil {
		t.Fatal(err)
	}
	containers := []any{}
	for _, n := range list {
		containers = append(containers, map[string]any{"name": n})
	}
	return map[string]any{"spec": map[string]any{"initContainers": containers}}
}
