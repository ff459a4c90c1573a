package backup

import (
	"errors"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// TestWaitForRoom: waves of snapshots that each may last itemOperationTimeout.
func TestWaitForRoom(t *testing.T) {
	for n, want := range map[int]time.Duration{1: 4 * time.Hour, 100: 4 * time.Hour, 101: 8 * time.Hour, 300: 12 * time.Hour} {
		p := planOfVolumes(strings.Repeat("n", n))
		p.Backup.Spec.ItemOperationTimeout.Duration = 4 * time.Hour
		if got := p.capacityTimeout(100); got != want {
			t.Errorf("%d volumes wait for %s, want %s", n, got, want)
		}
		p.Planned = time.Now()
		if how := p.ReserveOptions(100, true, false, 1); time.Until(how.Deadline).Round(time.Minute) != want || !errors.Is(how.TooLate, volume.ErrNoCapacity) {
			t.Errorf("%d volumes: %+v", n, how)
		}
		p.Planned = time.Now().Add(-(100 * time.Hour))
		if how := p.ReserveOptions(100, true, false, 1); time.Until(how.Deadline).Round(time.Second) != minCapacityWait {
			t.Errorf("%d volumes, late: %+v", n, how)
		}
	}
	p := planOfVolumes("n")
	p.Backup.Spec.ItemOperationTimeout.Duration = 1<<63 - 1
	if got := p.capacityTimeout(100); got != longestTimeout {
		t.Errorf("without end: %s", got)
	}
}

// TestUnitTime: an activity has the time for all that its unit may wait for.
func TestUnitTime(t *testing.T) {
	p := planOfVolumes("n")
	p.Backup.Spec.CSISnapshotTimeout.Duration = 6 * time.Hour
	if got := p.unitTimeout(100); got != 0 {
		t.Errorf("without units: %s", got)
	}
	p.Volumes.Units = []Unit{{}, {Pods: []PodHooks{{Pre: []hook.Hook{{Timeout: time.Hour}}, Post: []hook.Hook{{Timeout: time.Minute}}}}}}
	hooks := time.Hour + 10*time.Second + 40*time.Second + time.Minute + 10*time.Second + 10*time.Minute
	if got, want := p.unitTimeout(100), time.Hour+3*(6*time.Hour+hooks); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// planOfVolumes is a planned backup of volumes of these paths.
func planOfVolumes(paths string) *Plan {
	return &Plan{UID: "uid", Volumes: VolumePlan{Volumes: volumetest.Backup(paths).Volumes}, Backup: contract.BackupInput{Name: "b", Spec: velerov1.BackupSpec{
		CSISnapshotTimeout: metav1.Duration{Duration: time.Minute}, ItemOperationTimeout: metav1.Duration{Duration: time.Hour},
	}}}
}
