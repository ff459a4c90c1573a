package manifest_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// A document that is made of an input is read as the same input.
func TestMadeDocumentsAreRead(t *testing.T) {
	backup := contract.BackupInput{
		Name: "b", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"},
		Spec: velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}, TTL: metav1.Duration{Duration: time.Hour}},
	}
	text, err := yaml.Marshal(manifest.BackupDocument(backup))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := manifest.Backup(bytes.NewReader(text)); err != nil || !reflect.DeepEqual(got, backup) {
		t.Errorf("got %+v, %v; want %+v", got, err, backup)
	}
	restore := contract.RestoreInput{
		Name: "r", Labels: map[string]string{"a": "b"},
		Spec: velerov1.RestoreSpec{BackupName: "b", NamespaceMapping: map[string]string{"shop": "copy"}},
	}
	if text, err = yaml.Marshal(manifest.RestoreDocument(restore)); err != nil {
		t.Fatal(err)
	}
	got, err := manifest.Restore(bytes.NewReader(text))
	if err != nil || !reflect.DeepEqual(got, restore) {
		t.Errorf("got %+v, %v; want %+v", got, err, restore)
	}
}
