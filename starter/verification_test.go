package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

func verificationOf(res contract.VerificationResult) *memory {
	return &memory{results: map[string]any{"": res}}
}

func TestBackupVerify(t *testing.T) {
	good := contract.VerifiedBackup{Name: "a", Location: "default", Outcome: contract.VerificationGood, Bytes: 2048, Snapshots: 2, Digests: true}
	bad := contract.VerifiedBackup{Name: "b", Location: "west", Outcome: contract.VerificationCorrupt, Bytes: 1024, Digests: true, More: 2, Damage: []contract.Damage{
		{What: "backups/b/b.tar.gz", Found: "digest differs"}, {What: "snapshot s", Found: "does not exist"},
	}}
	velero := contract.VerifiedBackup{Name: "v", Location: "default", Outcome: contract.VerificationGood}
	failed := contract.VerifiedBackup{Name: "f", Location: "west", Outcome: contract.VerificationFailed, Note: "connection reset"}
	for name, c := range map[string]struct {
		res  contract.VerificationResult
		code int
		want []string
	}{
		"good": {contract.VerificationResult{Verified: 1, Bytes: 2048, Backups: []contract.VerifiedBackup{good}}, console.CodeDone, []string{
			"NAME   STORAGE LOCATION   OUTCOME    READ", "a      default            Verified", "1 backup verified, 0 corrupt, 0 could not be read",
		}},
		"corrupt": {contract.VerificationResult{Verified: 1, Corrupt: 1, Backups: []contract.VerifiedBackup{good, bad}}, console.CodeFailed, []string{
			"backups/b/b.tar.gz: digest differs, and 3 more", "2 backups verified, 1 corrupt", "Next: lifeboat backup describe b,",
		}},
		"Velero's":   {contract.VerificationResult{Verified: 1, Backups: []contract.VerifiedBackup{velero}}, console.CodeDone, []string{"no digests, Velero made it"}},
		"unreadable": {contract.VerificationResult{Failed: 1, Backups: []contract.VerifiedBackup{failed}}, console.CodePartiallyFailed, []string{"connection reset"}},
		"a location": {contract.VerificationResult{Unread: []contract.UnreadLocation{{Name: "west", Message: "no such bucket"}}}, console.CodePartiallyFailed, []string{"west", "no such bucket"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := verificationOf(c.res)
			lifeboat(t, m, "", "backup", "verify", "a", "b", "--wait", "--storage-location", "west").want(t, c.code, c.want...)
			if !reflect.DeepEqual(m.started, []any{contract.VerifyBackupsInput{Names: []string{"a", "b"}, Location: "west"}}) {
				t.Errorf("started %+v", m.started)
			}
		})
	}
	m := verificationOf(contract.VerificationResult{Corrupt: 1, Backups: []contract.VerifiedBackup{bad}})
	r := lifeboat(t, m, "", "backup", "verify", "--all", "--wait", "-o", "json")
	var res contract.VerificationResult
	if err := json.Unmarshal([]byte(r.out), &res); err != nil || r.code != console.CodeFailed || !reflect.DeepEqual(res.Backups, []contract.VerifiedBackup{bad}) {
		t.Errorf("%d %s %v", r.code, r.out, err)
	}
	lifeboat(t, m, "", "backup", "verify", "--all").want(t, console.CodeDone, "is running as workflow", "Next: lifeboat backup get")
	lifeboat(t, m, "", "backup", "verify").want(t, console.CodeError, "either names or --all")
	lifeboat(t, m, "", "backup", "verify", "a", "--all").want(t, console.CodeError, "either names or --all")
}

// What was found is shown with the backup.
func TestVerificationOfABackup(t *testing.T) {
	at := noon().Add(-48 * time.Hour)
	m := &memory{backups: []contract.BackupSummary{
		{Name: "a", Phase: "Corrupt", Created: noon(), Verified: &at, Location: "default"},
		{Name: "b", Phase: "Completed", Created: noon(), Location: "default"},
	}}
	r := lifeboat(t, m, "", "backup", "get")
	r.want(t, console.CodeDone, "VERIFIED", "Corrupt", "2d ago", "never")
	r = lifeboat(t, m, "", "backup", "get", "-o", "json")
	r.want(t, console.CodeDone, `"lifeboat-backup.github.io/verified": "2025-12-31T12:00:00Z"`)
	if strings.Count(r.out, "github.io/verified") != 1 {
		t.Error(r.out)
	}
	doc := &velerov1.Backup{}
	doc.Name, doc.Status.Phase = "a", "Corrupt"
	m.reads = map[string]contract.ReadResult{contract.ReadBackup: {Backup: doc, Details: &contract.Details{Verification: &contract.VerifiedBackup{
		Name: "a", Outcome: "Corrupt", At: at, Bytes: 1024, Digests: true, Damage: []contract.Damage{{What: "backups/a/a.tar.gz", Found: "digest differs"}}, More: 3, Unchecked: []string{"snapshot h of driver d is known to its driver only"},
	}}}}
	lifeboat(t, m, "", "backup", "describe", "a").want(t, console.CodeDone, "Phase:", "Corrupt", "Verification:", "backups/a/a.tar.gz: digest differs", "every byte against SHA-256", "Not checked:")
	lifeboat(t, m, "", "backup", "describe", "a", "-o", "json").want(t, console.CodeDone, `"found": "digest differs"`)
	lifeboat(t, m, "", "backup", "wait", "a").want(t, console.CodeFailed, "ended earlier: Corrupt")
}
