package listing

import (
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// RestoreOfRun is the row of a restore that is not stored.
func RestoreOfRun(r temporal.State) contract.RestoreSummary {
	row := contract.RestoreSummary{
		Name: r.Name, Labels: r.Labels, Backup: r.Backup, Phase: r.Phase,
		Started: timeOrNil(r.Started), Completed: timeOrNil(r.Closed), Errors: errorCount(r), DryRun: r.DryRun,
	}
	if r.Result != nil {
		row.Errors, row.Warnings = r.Result.Errors, r.Result.Warnings
	}
	return row
}

// RestoreDocument is the Velero document of a restore as far as a row knows it.
func RestoreDocument(r contract.RestoreSummary) velerov1.Restore {
	in := contract.RestoreInput{Name: r.Name, Labels: r.Labels}
	in.Spec.BackupName = r.Backup
	doc := manifest.RestoreDocument(in)
	doc.Status = velerov1.RestoreStatus{
		Phase: velerov1.RestorePhase(r.Phase), Errors: r.Errors, Warnings: r.Warnings,
		StartTimestamp: metaTime(r.Started), CompletionTimestamp: metaTime(r.Completed),
	}
	return doc
}

// timeOrNil is nil for the zero time.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func metaTime(t *time.Time) *metav1.Time {
	if t == nil {
		return nil
	}
	return &metav1.Time{Time: *t}
}
