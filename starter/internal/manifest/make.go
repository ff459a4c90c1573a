package manifest

import (
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// BackupDocument is the Velero document of an input. Backup reads it as the same input.
func BackupDocument(in contract.BackupInput) velerov1.Backup {
	return velerov1.Backup{
		TypeMeta:   metav1.TypeMeta{APIVersion: velerov1.SchemeGroupVersion.String(), Kind: "Backup"},
		ObjectMeta: metav1.ObjectMeta{Name: in.Name, Labels: in.Labels, Annotations: in.Annotations},
		Spec:       in.Spec,
	}
}

// RestoreDocument is the Velero document of an input. It lacks what Velero has no field for.
func RestoreDocument(in contract.RestoreInput) velerov1.Restore {
	return velerov1.Restore{
		TypeMeta:   metav1.TypeMeta{APIVersion: velerov1.SchemeGroupVersion.String(), Kind: "Restore"},
		ObjectMeta: metav1.ObjectMeta{Name: in.Name, Labels: in.Labels, Annotations: in.Annotations},
		Spec:       in.Spec,
	}
}

// ScheduleDocument is the Velero document that Schedules reads as s.
func ScheduleDocument(s contract.Schedule) velerov1.Schedule {
	return velerov1.Schedule{
		TypeMeta:   metav1.TypeMeta{APIVersion: velerov1.SchemeGroupVersion.String(), Kind: scheduleKind},
		ObjectMeta: metav1.ObjectMeta{Name: s.Name, Labels: s.Labels, Annotations: s.Annotations},
		Spec:       s.Spec,
	}
}
