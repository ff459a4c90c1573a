package listing

import (
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// BackupOfRun is the row of a backup that is not stored.
func BackupOfRun(r temporal.State) contract.BackupSummary {
	return contract.BackupSummary{
		Name: r.Name, Labels: r.Labels, Location: r.Location, Phase: r.Phase,
		Errors: errorCount(r), Created: r.Started, Selector: r.Selector, Ours: true, Cluster: contract.ClusterFromID(r.WorkflowID),
	}
}

// BackupDocument is the Velero document of a backup as far as a row knows it.
func BackupDocument(b contract.BackupSummary) velerov1.Backup {
	doc := manifest.BackupDocument(contract.BackupInput{Name: b.Name, Labels: b.Labels})
	doc.CreationTimestamp = metav1.NewTime(b.Created)
	doc.Spec.StorageLocation = b.Location
	doc.Spec.LabelSelector, _ = manifest.ParseSelector(b.Selector) // an "or" of selectors has no single form
	doc.Status = velerov1.BackupStatus{
		Phase: velerov1.BackupPhase(b.Phase), Errors: b.Errors, Warnings: b.Warnings,
		StartTimestamp: &doc.CreationTimestamp, Expiration: metaTime(b.Expires),
		Progress: &velerov1.BackupProgress{TotalItems: int(b.Objects), ItemsBackedUp: int(b.Objects)},
	}
	if b.Verified != nil {
		doc.Annotations = map[string]string{AnnotationVerified: b.Verified.UTC().Format(time.RFC3339)}
	}
	return doc
}

// AnnotationVerified says in a list for programs when a backup was verified last: Velero's
// document has no field for it.
const AnnotationVerified = "lifeboat-backup.github.io/verified"
