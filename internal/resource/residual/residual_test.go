package residual_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/resource/residual"
)

// What still points at a mapped namespace is told, and nothing else that has its letters.
func TestPaths(t *testing.T) {
	for text, want := range map[string]bool{
		"db.shop.svc": true, "http://web.shop.svc.cluster.local/x": true, "db.shop.svcs": false,
		"system:serviceaccount:shop:web": true, "system:serviceaccounts:shop": true, "system:serviceaccount:shop2:web": false,
		// <service>.<namespace>, as people write it
		"web.shop:80": true, "db.shop": true, "postgres://u:p@db.shop/orders": true, "host=db.shop\nport=5432": true,
		"db.shop, web.shop.": true, "pod-0.db.shop": true,
		"notes.shop": false, "example.shop": false, "db.shopping": false, "db.shop-copy": false, "db.shop.example.com": false,
		"shop": false, ".shop": false, "höb.shop": false, "": false,
	} {
		obj := map[string]any{"metadata": map[string]any{"name": "x"}, "data": map[string]any{"k": text}}
		isService := func(namespace, name string) bool {
			return namespace == "shop" && slices.Contains([]string{"web", "db"}, name)
		}
		mapping := map[string]string{"shop": "shop-copy"}
		got := residual.Track(mapping, isService, obj).Paths(obj)
		if want != slices.Equal(got, []string{"data.k"}) {
			t.Errorf("%q: %v", text, got)
		}
		if got := residual.Track(nil, isService, obj).Paths(obj); got != nil {
			t.Errorf("%q without a mapping: %v", text, got)
		}
	}
}

func TestPathsByField(t *testing.T) {
	var obj map[string]any
	err := json.Unmarshal([]byte(`{"metadata":{"namespace":"a","annotations":{"x/target-namespace":"a","kubectl.kubernetes.io/last-applied-configuration":"{\"namespace\":\"a\"}"}},
		"spec":{"namespace":"a","namespaces":["b","a"],"TARGET_NAMESPACE":"a","name":"a","selector":{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"In","values":["a"]},{"key":"x","values":["a"]}]}}}`), &obj)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`metadata.annotations["x/target-namespace"]`, "spec.TARGET_NAMESPACE", "spec.namespace", "spec.namespaces[1]",
		"spec.selector.matchExpressions[0].values[0]",
	}
	if got := residual.Track(map[string]string{"a": "c"}, nil, obj).Paths(obj); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	circle := residual.Track(map[string]string{"a": "b", "b": "a"}, nil, obj)
	obj["spec"].(map[string]any)["namespace"] = "b" // a rule changed it
	if got := circle.Paths(obj); slices.Contains(got, "spec.namespace") || !slices.Contains(got, "spec.namespaces[0]") {
		t.Errorf("a circle: %q", got)
	}
}
