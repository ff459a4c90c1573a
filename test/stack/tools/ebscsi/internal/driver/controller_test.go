package driver_test

import (
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/simtest"
)

const missing = "snap-0123456789abcdef0"

func makeVolume(t *testing.T, c *driver.Controller) *csi.Volume {
	t.Helper()
	made, err := c.CreateVolume(t.Context(), &csi.CreateVolumeRequest{
		Name: "pvc-1", CapacityRange: &csi.CapacityRange{RequiredBytes: 1 << 30},
		VolumeCapabilities: []*csi.VolumeCapability{{
			AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{}},
			AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
		}},
		AccessibilityRequirements: &csi.TopologyRequirement{Preferred: []*csi.Topology{{Segments: map[string]string{driver.ZoneKey: simtest.Zone}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.GetVolume()
}

// TestMissingSnapshotFailsItsBatch: as with the real driver, one snapshot that is gone fails
// the look-ups that share its call, each with the id that EC2 names. A snapshot that is
// asked for again in a round without it is found.
func TestMissingSnapshotFailsItsBatch(t *testing.T) {
	c := driver.NewController(simtest.Start(t).Cloud)
	made, err := c.CreateSnapshot(t.Context(), &csi.CreateSnapshotRequest{Name: "snapshot-1", SourceVolumeId: makeVolume(t, c).GetVolumeId()})
	if err != nil {
		t.Fatal(err)
	}
	there := made.GetSnapshot().GetSnapshotId()
	var batch sync.WaitGroup
	for _, id := range []string{there, missing} {
		batch.Go(func() {
			out, err := c.ListSnapshots(t.Context(), &csi.ListSnapshotsRequest{SnapshotId: id})
			named := strings.Contains(status.Convert(err).Message(), "InvalidSnapshot.NotFound") && strings.Contains(status.Convert(err).Message(), missing)
			if status.Code(err) != codes.Internal || !named {
				t.Errorf("%s beside a missing one: %v, %v; want %s that names %s", id, out, err, codes.Internal, missing)
			}
		})
	}
	batch.Wait()
	alone, err := c.ListSnapshots(t.Context(), &csi.ListSnapshotsRequest{SnapshotId: there})
	if err != nil || len(alone.GetEntries()) != 1 || alone.GetEntries()[0].GetSnapshot().GetSnapshotId() != there {
		t.Errorf("asked for again by itself: %v, %v; want %s", alone, err, there)
	}
}

// TestNodeHasBothKeys: a node is known by both keys of its zone, for volumes that older drivers made.
func TestNodeHasBothKeys(t *testing.T) {
	node := &driver.Node{InstanceID: simtest.Instance, Zone: simtest.Zone}
	info, err := node.NodeGetInfo(t.Context(), &csi.NodeGetInfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"topology.kubernetes.io/zone": simtest.Zone, "topology.ebs.csi.aws.com/zone": simtest.Zone}
	if got := info.GetAccessibleTopology().GetSegments(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
