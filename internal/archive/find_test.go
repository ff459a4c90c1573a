package archive_test

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// Find gives what Lookup gives for each key, and reads each index block once.
func TestFindLooksUpManyAtOnce(t *testing.T) {
	objects := sample(40)
	src, l := newArchive(t, tinyLimits(), objects)
	a, err := archive.Open(t.Context(), src, l)
	if err != nil {
		t.Fatal(err)
	}
	absent := archive.Key{Resource: objects[0].key.Resource, Namespace: objects[0].key.Namespace, Name: objects[0].key.Name + "-not"}
	keys := []archive.Key{absent}
	for i := 0; i < len(objects); i += 3 {
		k := objects[i].key
		k.Version = ""
		keys = append(keys, k)
	}
	src.reads = 0
	found, err := a.Find(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	if src.reads > len(a.Members()) {
		t.Errorf("%d reads for %d members", src.reads, len(a.Members()))
	}
	if _, there := found[absent]; there || len(found) != len(keys)-1 {
		t.Errorf("found %d of %d", len(found), len(keys)-1)
	}
	for _, k := range keys[1:] {
		if want, _, err := a.Lookup(t.Context(), k); err != nil || found[k] != want {
			t.Errorf("%s: in member %d, want %d, %v", k, found[k], want, err)
		}
	}
	src.reads = 0
	if none, err := a.Find(t.Context(), nil); err != nil || len(none) > 0 || src.reads > 0 {
		t.Errorf("nothing asked: %v, %v, %d reads", none, err, src.reads)
	}
}
