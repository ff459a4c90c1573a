package backup

import (
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
)

// A backup that was started by Temporal's own program meets the checks of the CLI.
func TestValidateBackup(t *testing.T) {
	for name, tc := range map[string]struct {
		in   contract.BackupInput
		want string // in the error
	}{
		"fine":             {contract.BackupInput{Name: "b", Labels: map[string]string{"velero.io/schedule-name": "nightly"}}, ""},
		"label too long":   {contract.BackupInput{Name: "b", Labels: map[string]string{"velero.io/schedule-name": strings.Repeat("n", 64)}}, "labels[velero.io/schedule-name]"},
		"label's sign":     {contract.BackupInput{Name: "b", Labels: map[string]string{"team": "tills & ledgers"}}, "labels[team]"},
		"annotation's key": {contract.BackupInput{Name: "b", Annotations: map[string]string{"a b": "x"}}, "annotations[a b]"},
		"spec":             {contract.BackupInput{Name: "b", Spec: velerov1.BackupSpec{StorageLocation: "A B"}}, "spec.storageLocation"},
		"name":             {contract.BackupInput{Name: "../b"}, "name: "},
	} {
		err := validateBackup(tc.in)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || failure.TypeOf(err) != contract.ErrTypeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
