package rehearsaltest

import (
	"bytes"
	"compress/gzip"
	"context"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Service rehearses the backups of one location, "default".
func Service(st store.Store, planes controlplane.Provider, edit func(*config.Config)) *rehearsal.Service {
	bsl := velerov1.BackupStorageLocation{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	bsl.Spec.Provider, bsl.Spec.ObjectStorage = "aws", &velerov1.ObjectStorageLocation{Bucket: "b"}
	cfg := &config.Config{Cluster: "test", Namespace: "velero", BackupStorageLocations: []velerov1.BackupStorageLocation{bsl}}
	cfg.Limits.ApplyConcurrency = config.DefaultApplyConcurrency
	if edit != nil {
		edit(cfg)
	}
	open := func(context.Context, velerov1.BackupStorageLocation) (store.Store, error) { return st, nil }
	return rehearsal.New(cfg, repository.NewLocations(cfg, open), resource.NewRegistry(), planes)
}

// Gzipped is a text as the bucket has it.
func Gzipped(t testing.TB, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	if _, err := zw.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
