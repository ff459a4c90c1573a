package restore

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// Of a tarball of Velero's that was cut off comes back what lies before the cut, if that is
// allowed.
func TestTruncatedTarballOfVelero(t *testing.T) {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		body := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c%d","namespace":"shop"},"data":{"x":"%x"}}`, i, random.Perm(200))
		err := tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("resources/configmaps/namespaces/shop/c%d.json", i), Size: int64(len(body)), Mode: 0o755, Typeflag: tar.TypeReg})
		if _, werr := tw.Write([]byte(body)); err != nil || werr != nil {
			t.Fatal(err, werr)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	// A name that Velero gives and that is longer than a label.
	const name = "production-eu-central-1-customer-portal-full-nightly-backup-20260101020000"
	if _, err := backupQuery(contract.RestoreInput{Spec: velerov1.RestoreSpec{BackupName: name}}); err != nil {
		t.Fatal(err)
	}
	l, st := layout.Backup{Name: name}, memstore.New()
	st.Set(l.Tarball(), buf.Bytes()[:buf.Len()/2])
	for _, allow := range []bool{false, true} {
		d := &openDoc{Restore: contract.RestoreInput{AllowCorrupt: allow}, Archive: contract.OpenedArchive{Backup: name, Foreign: true}}
		err := recutTarball(t.Context(), &heartbeat.Recorder{}, st, repository.NewStaging(st, "uid"), l, d)
		if !allow {
			if !errors.Is(err, archive.ErrCorrupt) {
				t.Errorf("not refused: %v", err)
			}
			continue
		}
		if err != nil || len(d.Reasons) != 1 || d.Reasons[0].Code != report.ObjectDamaged || d.Archive.Objects < 300 || d.Archive.Objects > 700 {
			t.Fatalf("%d objects, %v, %v", d.Archive.Objects, d.Reasons, err)
		}
		a, err := openArchive(t.Context(), st, repository.NewStaging(st, "uid"), d.Archive)
		if err != nil {
			t.Fatal(err)
		}
		count := int64(0)
		err = a.Walk(t.Context(), 0, len(a.Members()), func(int, archive.Entry, []byte) error { count++; return nil })
		if err != nil || count != d.Archive.Objects {
			t.Errorf("%d objects, want %d; %v", count, d.Archive.Objects, err)
		}
	}
}
