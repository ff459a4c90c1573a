package resource

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// FuzzRules feeds objects of any shape to every rule: an archive may hold
// anything. No rule may panic; the server's metadata never gets through; an
// object equals its own restoration; and Secrets never show in a diff.
func FuzzRules(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.in.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		c := readCase(f, file)
		raw, err := json.Marshal(c.Object)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, odd := range []string{`{"metadata":{"name":"x","labels":"no","annotations":[],"finalizers":{},"managedFields":[1],"ownerReferences":{}},"spec":[],"status":"x","webhooks":[1],"subjects":"x"}`} {
		f.Add([]byte(odd))
	}
	r, resources := NewRegistry(), slices.Sorted(maps.Keys(allKinds()))
	c := &Context{Backup: "b", Restore: "r", NamespaceMapping: map[string]string{"bookstore": "b", "b": "bookstore"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var obj map[string]any
		if utiljson.Unmarshal(raw, &obj) != nil {
			t.Skip()
		}
		for _, resource := range resources {
			checkRule(t, r, c, resource, obj)
		}
	})
}

func checkRule(t *testing.T, r *Registry, c *Context, resource string, obj map[string]any) {
	stored := runtime.DeepCopyJSON(obj)
	r.Backup(resource, stored)
	restored := runtime.DeepCopyJSON(stored)
	out, err := r.Restore(c, resource, restored)
	if err != nil || out.Skipped() {
		return
	}
	for key := range child(restored, "metadata") {
		switch key {
		case "name", "namespace", "labels", "annotations", "finalizers":
		default:
			t.Fatalf("%s: metadata.%s got through", resource, key)
		}
	}
	before := runtime.DeepCopyJSON(obj)
	plain := runtime.DeepCopyJSON(stored)
	if out, err := r.Restore(&Context{}, resource, plain); err == nil && !out.Skipped() && !r.Equal(resource, obj, plain) {
		t.Fatalf("%s: an object differs from its own restoration by %v", resource, r.MergePatch(resource, obj, plain))
	}
	r.MergePatch(resource, obj, restored)
	MergeServiceAccount(obj, restored, true)
	compare.Diff(resource, obj, stored, restored)
	if !reflect.DeepEqual(before, obj) {
		t.Fatalf("%s: comparing changed the live object", resource)
	}
}

func benchmarkRestore(b *testing.B, file string, c *Context) {
	raw, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	var in goldenCase
	if err := json.Unmarshal(raw, &in); err != nil {
		b.Fatal(err)
	}
	r := NewRegistry()
	copies := make([]map[string]any, 1024)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(copies) == 0 {
			b.StopTimer() // a fresh object each time: Restore works in place
			for j := range copies {
				copies[j] = runtime.DeepCopyJSON(in.Object)
			}
			b.StartTimer()
		}
		if _, err := r.Restore(c, in.Resource, copies[i%len(copies)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRestoreConfigMap(b *testing.B) {
	benchmarkRestore(b, "testdata/configmap/plain.in.json", &Context{Backup: "b", Restore: "r"})
}

func BenchmarkRestoreConfigMapMapped(b *testing.B) {
	benchmarkRestore(b, "testdata/configmap/plain.in.json", &Context{Backup: "b", Restore: "r", NamespaceMapping: map[string]string{"bookstore": "copy"}})
}

func BenchmarkRestorePod(b *testing.B) {
	benchmarkRestore(b, "testdata/pod/running.in.json", &Context{Backup: "b", Restore: "r"})
}
