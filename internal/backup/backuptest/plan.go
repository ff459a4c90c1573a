// Package backuptest is what tests of a backup's phases share.
package backuptest

import (
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// Plan is a planned backup of volumes of these paths ("n" native, "c" CSI).
func Plan(paths string) *backup.Plan {
	return &backup.Plan{UID: "uid", Volumes: backup.VolumePlan{Volumes: volumetest.Backup(paths).Volumes}, Backup: contract.BackupInput{Name: "b", Spec: velerov1.BackupSpec{
		CSISnapshotTimeout: metav1.Duration{Duration: time.Minute}, ItemOperationTimeout: metav1.Duration{Duration: time.Hour},
	}}}
}
