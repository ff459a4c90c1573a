package repository_test

import (
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// Results go where the restore says, else where the configuration says, else beside the backup,
// or elsewhere if that is ReadOnly.
func TestWorkspace(t *testing.T) {
	for name, c := range map[string]struct {
		readOnly          string
		named, configured string
		want, kind, text  string
	}{
		"beside the backup":         {"", "", "", "a", "", ""},
		"elsewhere":                 {"a", "", "", "b", "", ""},
		"all are ReadOnly":          {"abc", "", "", "a", "", ""},
		"as the restore says":       {"a", "c", "b", "c", "", ""},
		"as the configuration says": {"", "", "c", "c", "", ""},
		"a ReadOnly one is named":   {"ac", "c", "", "", contract.ErrTypeLocation, "resultsLocation: spec.storageLocation: location \"c\" is ReadOnly"},
		"an unknown one is named":   {"a", "x", "", "", contract.ErrTypeInvalid, `resultsLocation: spec.storageLocation: unknown storage location: "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			l := repositorytest.Locations(repositorytest.Stores{"a": memstore.New(), "b": memstore.New(), "c": memstore.New()})
			cfg := l.Config()
			cfg.ResultsLocation = c.configured
			for i := range cfg.BackupStorageLocations {
				if bsl := &cfg.BackupStorageLocations[i]; strings.Contains(c.readOnly, bsl.Name) {
					bsl.Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
				}
			}
			got, _, err := l.WorkspaceFor(t.Context(), &cfg.BackupStorageLocations[0], c.named)
			if c.want != "" && (err != nil || got.Name != c.want) || failure.TypeOf(err) != c.kind || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, %v; want %s", got, err, c.want)
			}
		})
	}
}
