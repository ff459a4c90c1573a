//go:build stack

package node

import (
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// location is the name of the snapshot location that every Lifeboat here has, and
// every Velero.
const location = "default"

// withDisks configures a Lifeboat for the simulated account.
func withDisks(s *stack.Stack) func(*config.Config) {
	return func(c *config.Config) {
		c.VolumeSnapshotLocations = []velerov1.VolumeSnapshotLocation{{
			ObjectMeta: metav1.ObjectMeta{Name: location, Namespace: "velero"},
			Spec: velerov1.VolumeSnapshotLocationSpec{
				Provider: "aws", Config: map[string]string{"region": s.EBS.Region, "credentialsFile": s.EBS.WorkerFile},
			},
		}}
	}
}

// paths are the two ways in which the data of a volume is backed up, and what makes
// a backup take one.
func paths() map[string][]string {
	return map[string][]string{
		"native": {"--volume-snapshot-locations", location},
		"csi":    nil,
	}
}
