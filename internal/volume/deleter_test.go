package volume_test

import (
	"encoding/json"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// A tombstone that another version of the worker wrote is read, and written, the same.
func TestDeletionListJSON(t *testing.T) {
	const text = `{"native":[{"location":"east","id":"snap-a","pv":"pv-a"},{"location":"east","id":"snap-b"}],` +
		`"csi":[{"driver":"d","handle":"h","content":"c","class":"k","annotations":{"a":"b"},"sourceMode":"Block","group":"g"},{"driver":"d","handle":"i"}],"unread":["x"]}`
	var list volume.DeletionList
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	if data, err := json.Marshal(list); err != nil || string(data) != text {
		t.Errorf("%s, %v", data, err)
	}
	refs := list.ByMethod()
	if list.Count() != 4 || len(refs[volume.MethodNative]) != 2 || len(refs[volume.MethodCSI]) != 2 {
		t.Errorf("%d: %v", list.Count(), refs)
	}
	list.Merge(volume.DeletionList{
		Native: []volume.NativeRef{{Location: "east", ID: "snap-b"}, {Location: "west", ID: "snap-b"}},
		CSI:    []volume.CSIRef{{Driver: "d", Handle: "h"}, {Driver: "e", Handle: "h"}},
	})
	if list.Count() != 6 {
		t.Errorf("merged: %+v", list)
	}
}
