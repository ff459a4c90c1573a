//go:build stack

package install

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/deploy/helm"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// What is printed without Helm is what Helm renders, object by object, for every case of the
// chart's own tests.
func TestSameAsHelm(t *testing.T) {
	if err := stack.Build(t.Context(), os.Stderr, "helm"); err != nil {
		t.Fatal(err)
	}
	program, err := stack.Binary("helm")
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join("..", "..", "..", "deploy", "helm")
	files, err := filepath.Glob(filepath.Join(folder, "testdata", "*.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("cases: %v %v", files, err)
	}
	chart, err := helm.Chart()
	if err != nil {
		t.Fatal(err)
	}
	const set = `podAnnotations.twice=a,podAnnotations.x=yes,podAnnotations.example\.org/zip=0123,podAnnotations.list=a\,b,replicas=3`
	for _, file := range append(files, filepath.Join(folder, "lifeboat", "values-velero.yaml")) {
		args := []string{"template", "my-release", filepath.Join(folder, "lifeboat"), "--namespace", "backup", "--no-hooks", "--values", file, "--set", set}
		theirs, err := exec.CommandContext(t.Context(), program, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		values, err := ReadValues([]string{file})
		if err != nil {
			t.Fatal(err)
		}
		if err := SetValue(values, set); err != nil {
			t.Fatal(err)
		}
		ours, err := Render(chart, Release{Name: "my-release", Namespace: "backup", Values: values})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, file, objects(t, string(ours)), objects(t, string(theirs)))
	}
}

// objects are manifests by kind and name.
func objects(t *testing.T, manifests string) map[string]any {
	t.Helper()
	out := map[string]any{}
	for doc := range strings.SplitSeq(strings.TrimPrefix(manifests, "---\n"), "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		meta, _ := o["metadata"].(map[string]any)
		name, err := json.Marshal([]any{o["kind"], meta["name"]})
		if err != nil {
			t.Fatal(err)
		}
		out[string(name)] = o
	}
	return out
}

func compare(t *testing.T, file string, ours, theirs map[string]any) {
	t.Helper()
	if len(theirs) < 4 {
		t.Errorf("%s: Helm renders %d objects", file, len(theirs))
	}
	for name := range theirs {
		if !reflect.DeepEqual(ours[name], theirs[name]) {
			t.Errorf("%s: %s:\n%v\nHelm:\n%v", file, name, ours[name], theirs[name])
		}
	}
	for name := range ours {
		if theirs[name] == nil {
			t.Errorf("%s: Helm renders no %s", file, name)
		}
	}
}
