package snapshotcontent_test

import (
	"encoding/json"
	"reflect"
	"testing"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/snapshotcontent"
)

// TestRefOf: what a content says is enough to have its snapshot deleted, whoever made the content.
func TestRefOf(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		want    volume.CSIRef
	}{
		"made by a snapshot": {
			`{"metadata":{"name":"c"},"spec":{"driver":"d","volumeSnapshotClassName":"k","sourceVolumeMode":"Block","source":{"volumeHandle":"v"}},"status":{"snapshotHandle":"h"}}`,
			volume.CSIRef{Driver: "d", Handle: "h", Content: "c", Class: "k", SourceMode: "Block"},
		},
		"made for a snapshot":   {`{"metadata":{"name":"c"},"spec":{"driver":"d","source":{"snapshotHandle":"h"}}}`, volume.CSIRef{Driver: "d", Handle: "h", Content: "c"}},
		"not taken yet":         {`{"metadata":{"name":"c"},"spec":{"driver":"d","source":{"volumeHandle":"v"}}}`, volume.CSIRef{Driver: "d", Content: "c"}},
		"the status goes first": {`{"spec":{"driver":"d","source":{"snapshotHandle":"old"}},"status":{"snapshotHandle":"h","volumeGroupSnapshotHandle":"g"}}`, volume.CSIRef{Driver: "d", Handle: "h", Group: "g"}},
		"secrets": {
			`{"metadata":{"annotations":{"snapshot.storage.kubernetes.io/deletion-secret-name":"s","snapshot.storage.kubernetes.io/volumesnapshot-being-deleted":"yes","x-secret-y":"z"}},"spec":{"driver":"d"}}`,
			volume.CSIRef{Driver: "d", Annotations: map[string]string{"snapshot.storage.kubernetes.io/deletion-secret-name": "s"}},
		},
	} {
		var c snapshotv1.VolumeSnapshotContent
		if err := json.Unmarshal([]byte(tc.content), &c); err != nil {
			t.Fatal(err)
		}
		if got := snapshotcontent.RefOf(&c); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}
