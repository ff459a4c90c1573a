package activities_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/activities"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// A run that ended without cleaning up leaves nothing but, if it had come that far, its backup.
// The files of another run of the name stay.
func TestAbandonBackup(t *testing.T) {
	ref := contract.BackupRef{Name: "b", UID: "u", Location: "default"}
	files := layout.Backup{Name: "b"}
	for name, tc := range map[string]struct {
		holder string // of the name lock
		uid    string // of the document, "" for none
		want   []string
	}{
		"not committed":                  {"u", "", nil},
		"committed":                      {"u", "u", []string{files.Tarball(), files.Metadata()}},
		"another run has the name":       {"other", "", []string{files.Tarball(), layout.NameLock("b")}},
		"another run has committed":      {"", "other", []string{files.Tarball(), files.Metadata()}},
		"it had only the name left":      {"u", "", nil},
		"another's, and the name is its": {"other", "other", []string{files.Tarball(), files.Metadata(), layout.NameLock("b")}},
	} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			st.Set(files.Tarball(), []byte("tar"))
			if name != "it had only the name left" {
				plan := backup.Plan{UID: "u", Backup: contract.BackupInput{Name: "b"}, Run: contract.Run{Cluster: "prod"}}
				if err := repository.NewStaging(st, "u").Put(t.Context(), repository.PlanFile, plan); err != nil {
					t.Fatal(err)
				}
			}
			if tc.holder != "" {
				st.Set(layout.NameLock("b"), fmt.Appendf(nil, `{"uid":%q}`, tc.holder))
			}
			if tc.uid != "" {
				st.Set(files.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":"b","uid":%q}}`, tc.uid))
			}
			service := &backup.Service{Config: &config.Config{Cluster: "prod"}, Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
			a := activities.Abandoner{Backup: &activities.Backup{Service: service}}
			for range 2 { // it may repeat
				if err := a.AbandonBackup(t.Context(), ref); err != nil {
					t.Fatal(err)
				}
			}
			if got := st.Keys(); !slices.Equal(got, tc.want) {
				t.Errorf("left %q, want %q", got, tc.want)
			}
		})
	}
}
